// The settings of the recipes in Chinese: what each is called, by its name, and the server's help, word for word.
// Words that are chosen from a list (first, cosine …) stay as they are, since the list shows them so.

export const labels: Record<string, string> = {
  "codec.align": "对齐拍点",
  "codec.chords": "和弦种数",
  "codec.classic": "教程写法",
  "codec.instruments": "取用乐器",
  "codec.least": "最少出现次数",
  "codec.levels": "力度级数",
  "codec.low": "最低音高",
  "codec.order": "编号顺序",
  "codec.pitches": "音高数",
  "codec.planes": "网格内容",
  "codec.program": "演奏音色",
  "codec.steps_per_beat": "每拍步数",
  "codec.tempi": "速度级数",
  "codec.tempo_told": "速度写法",
  "codec.velocities": "力度级数",
  "codec.widest": "和弦最多音数",

  "model.ages": "停留组数",
  "model.align": "对齐",
  "model.average": "权重平均",
  "model.bar": "小节长度",
  "model.bars": "小节长度",
  "model.beta": "β（KL 权重）",
  "model.cell": "循环单元",
  "model.chains": "链数",
  "model.conductor": "指挥层大小",
  "model.context": "上下文长度",
  "model.decoder": "解码器大小",
  "model.dropout": "随机失活",
  "model.embedding": "嵌入长度",
  "model.encoder": "编码器大小",
  "model.forget": "遗忘比例",
  "model.free": "免计 KL",
  "model.gibbs": "吉布斯采样次数",
  "model.headings": "告知标头",
  "model.heads": "注意力头数",
  "model.hidden": "隐单元数",
  "model.inner": "组内宽度",
  "model.inner_layers": "组内层数",
  "model.input": "输入方式",
  "model.latent": "潜变量长度",
  "model.layers": "层数",
  "model.margin": "无声音高余量",
  "model.order": "阶数",
  "model.penalty": "梯度惩罚",
  "model.periods": "周期",
  "model.pitch": "音高方向的 LSTM",
  "model.place_span": "同位统计组数",
  "model.positions": "位置编码",
  "model.prior": "先验分布",
  "model.reach": "音高视野",
  "model.returns": "再现所需组数",
  "model.spread": "词元间距",
  "model.stack": "各层",
  "model.state": "循环网络大小",
  "model.step": "每步宽度",
  "model.steps": "片段长度",
  "model.time": "时间方向的 LSTM",
  "model.tallies": "近期统计组数",
  "model.warmup": "β 预热",
  "model.widening": "中间层倍数",
  "model.width": "宽度",

  "plan.epochs": "学习遍数",
  "plan.most_passes": "最多遍数",
  "plan.passes": "最少遍数",

  "player.attributes": "属性",
  "player.conservativity": "保守程度",
  "player.fewest": "最少音数",
  "player.form": "曲式",
  "player.gibbs": "吉布斯采样次数",
  "player.nudge": "放宽幅度",
  "player.overlap": "重叠",
  "player.recovery": "恢复比例",
  "player.settle": "重解次数",
  "player.start": "窗口起点",
  "player.walk": "相邻程度",

  "preparation.hidden": "遮盖比例",
  "preparation.oversample": "罕见音重复",
  "preparation.own_key": "原调比例",
  "preparation.rehearsal": "复习比例",
  "preparation.transpose": "移调",

  "request.bars": "小节数",
  "request.key": "调性",
  "request.longest_note": "最长音符",
  "request.longest_silence": "最长静默",
  "request.notes": "音符数",
  "request.seconds": "秒数",

  "sampling.kinds_p": "同类 Top-p",
  "sampling.min_p": "Min-p",
  "sampling.steadiness": "疏密稳定",
  "sampling.temperature": "温度",
  "sampling.top_k": "Top-k",
  "sampling.top_p": "Top-p",

  "training.batch": "批大小",
  "training.betas": "Adam 的 β",
  "training.clip": "梯度裁剪",
  "training.device": "训练设备",
  "training.evaluate_every": "检查间隔",
  "training.held_out_ids": "留出词元数",
  "training.keep": "保留权重",
  "training.learning_rate": "学习率",
  "training.length": "窗口长度",
  "training.optimiser": "优化器",
  "training.patience": "耐心",
  "training.precision": "数值精度",
  "training.save_every": "保存间隔",
  "training.schedule": "学习率变化",
  "training.seed": "种子",
  "training.threads": "处理器核心",
  "training.warmup": "学习率预热",
  "training.weight_decay": "权重衰减",
};

export const help: Record<string, string> = {
  // codecs
  "The lowest MIDI pitch.":
    "最低的 MIDI 音高。",
  "How many pitches, upwards from the lowest.":
    "从最低音高向上，共有多少个音高。",
  "Steps of a quarter note; 4 are sixteenth notes, 12 hold triplets as well.":
    "每个四分音符分成多少步；4 即十六分音符，12 还能容纳三连音。",
  "What a grid tells: which pitches sound (repeated notes melt into one); also where they are struck; also how loud.":
    "网格记录什么：哪些音高在响（sustain，连续重复的音会融为一个），还记起音位置（onset），再加上力度（velocity）。",
  "As the tutorials have it: notes by name and chords by pitch class, a half beat each, of the first instrument.":
    "照教程的写法：音符记音名，和弦记音级，每个占半拍，只取第一件乐器。",
  "Whose notes the tutorials' tokens are: the first instrument's alone, as they have it, or all's (drums never).":
    "教程写法的词元取哪些乐器的音：只取第一件（first，同教程），或取全部（all）；鼓始终不取。",
  "How ids are given to notes and chords; the first tutorial has them by name, later ones by frequency.":
    "音与和弦如何编号：最早的教程按名称（name），后来的按频率（frequency）。",
  "Steps of a quarter note on which notes may begin: 4 for sixteenths, 12 for triplets too (classic: no).":
    "每个四分音符分成多少步，音符可在各步开始：4 为十六分音符，12 还含三连音（教程写法不用）。",
  "Levels of loudness at most, learnt from the corpus; 1 for none (classic: no).":
    "力度最多分几级，从曲库中学得；1 表示不分（教程写法不用）。",
  "How many different chords are learnt, the commonest; others are written as smaller ones (classic: all).":
    "学习多少种最常见的和弦；其余的写成较小的和弦（教程写法学全部）。",
  "Times that a chord must occur to be learnt (classic: 1).":
    "和弦至少出现多少次才学习（教程写法为 1）。",
  "Notes that a learnt chord has at most (classic: no limit).":
    "所学的和弦最多含多少个音（教程写法不限）。",
  "The General MIDI instrument that plays what is decoded, from 0, the piano, to 127.":
    "用哪种 General MIDI 音色演奏解码出的音乐：从 0（钢琴）到 127。",
  "Positions of a beat; 12 holds sixteenths and triplets, 24 thirty-second notes as well.":
    "每拍的位置数；12 可容纳十六分音符和三连音，24 还可容纳三十二分音符。",
  "Levels of loudness, evenly spaced up to 127; 32 are at most 2 off.":
    "力度级数，均匀分布，最高为 127；分 32 级时误差至多 2。",
  "Levels of tempo from 15 to 480 quarter notes a minute, evenly spaced by ratio; 61 are at most 3 % off.":
    "速度级数，从每分钟 15 到 480 个四分音符，按比例均匀分布；分 61 级时误差至多 3%。",

  // recurrent networks of tokens, Markov chains and Transformers
  "Kind of recurrent cell.":
    "循环单元的种类。",
  "How an id goes in: as a learnt vector, as a 1 among 0s, or (as in the first tutorials) as id / vocabulary.":
    "词元如何输入：学得的向量（embedding），独热编码（one-hot），或编号除以词表大小（scalar，同最早的教程）。",
  "How far apart the ids of a scalar or one-hot input lie for the first layer as it begins: the deviation of its weights. 0 leaves them as small as a layer of many inputs at once has them, to which all ids are nearly one.":
    "以 scalar 或 one-hot 输入时，各词元在初始的第一层看来相距多远，即该层权重的标准差。0 则权重与同时有许多输入的层一样小，各词元在它看来几乎相同。",
  "Length of the learnt vector; of no effect with other inputs.":
    "学得的向量的长度；对其他输入方式无效。",
  "Layers from the input up, as words: `cell 512`, `dense 256` (or `dense 256 relu`, `tanh`), `dropout 0.3` and `norm`.":
    "从输入向上的各层，用文字写出：cell 512、dense 256（或 dense 256 relu、tanh）、dropout 0.3 和 norm。",
  "Ids in the longest n-gram; more predict a little better, and copy more from what was learnt.":
    "最长的 n 元组有多少个词元；越长预测略好，照抄所学音乐也越多。",
  "Blocks, one on top of the other.":
    "上下相叠的块数。",
  "Numbers that stand for each place between blocks.":
    "在块与块之间，每个位置用多少个数表示。",
  "Parts that attend each for itself; they share the width.":
    "各自做注意力的头数；它们分享宽度。",
  "How many times the width the network inside a block has in its middle.":
    "块内前馈网络的中间层是宽度的多少倍。",
  "Places that each place sees, itself among them.":
    "每个位置能看到多少个位置，包括自身。",
  "How places know what lies how far back: queries and keys turned by their place (rotary); one half of them by their place and the other by their musical time, where the codec tells it (time); or a learnt number for each head and distance, which costs more time (distance).":
    "各位置如何知道什么在多远之前：查询与键按位置旋转（rotary）；一半按位置、一半按音乐时间旋转，需要编码给出时间（time）；或为每个头和每段距离学一个数，较费时（distance）。",
  "Share of what is embedded and of what each part of a block adds that is left out while learning.":
    "学习时，嵌入以及块内各部分的输出中随机舍去的比例。",
  "Numbers that stand for each id within its group.":
    "组内每个词元用多少个数表示。",
  "Networks over each id, one on top of the other.":
    "作用于组内每个词元的网络叠多少层。",
  "Groups after which something begins anew, e.g. (16,) for bars of sixteen steps: a place learns what its number within each means.":
    "每过多少组就重新开始一轮，如十六步的小节填 16：每个位置会学到自己在一轮中的序号意味着什么。",
  "How many groups an id is known to have stood at its place, at most; 1 to know nothing of it.":
    "最多知道一个词元已在原处停留了多少组；1 表示不知道。",
  "Whether each group is told the headings that it stands under, where the codec has some.":
    "编码有标头时，是否告知每一组它在哪些标头之下。",
  "Groups after which what was told counts a third as much, for each count of how often each id was told lately: what was is likelier to be told again; nothing is counted where there are none.":
    "统计每个词元最近出现得多频繁（出现过的更可能再次出现）：每个数给出一种统计，过这么多组之后，出现过的只算三分之一；不填则不统计。",
  "The same of what was told at the same place of a bar in the same voice; 0: that is not counted.":
    "同一声部在小节内同一位置出现过的，过多少组之后只算三分之一；0 表示不统计。",
  "How many groups must be as they were earlier in the piece for what followed then to become likelier: each length is tried, the longest first. None: nothing is looked for, and neither is it without `tallies`.":
    "最近多少组与曲中前面某处相同，才使当时接下去的更可能再次接下去：各个长度从长到短依次尝试；不填则不查找，没有“近期统计组数”时也不查找。",
  "Whether a piece whose notes keep a grid that lies beside its beats is moved onto these, so that a model need not keep in mind how far beside.":
    "乐曲的音符若整齐却整体偏离拍点，是否移到拍点上；这样模型不必一直记住偏离了多少。",
  "In every bar, as the model that comes along has learnt them, or only where they change: that they stay is learnt much sooner so.":
    "always：每小节都写出速度，附带的模型就是这样学的；changed：只在速度改变处写出，这样模型能更快学会速度保持不变。",

  // models of grids
  "Sizes of the LSTMs along time.":
    "沿时间方向各层 LSTM 的大小。",
  "Sizes of the LSTMs from pitch to pitch.":
    "沿音高方向各层 LSTM 的大小。",
  "Semitones up and down that a pitch sees of the frame before.":
    "每个音高能看到前一帧中上下多少个半音。",
  "Lengths of bar, in quarter notes, in which the beat is counted; the source has 4 alone.":
    "按哪些小节长度来数拍，以四分音符计；原始实现只有 4。",
  "Share of units that are missing while it learns.":
    "学习时随机缺席的单元所占的比例。",
  "Silent pitches, on average, that an update learns from below and above all that sounds in its windows; one in eight learns from all pitches. None learns from all always, as the source does.":
    "除窗口中发声的音域外，每次更新平均还向下、向上学习多少个无声的音高；每八次更新有一次学习全部音高。留空则始终学习全部，与原始实现相同。",
  "Frames that are seen as one; 1 is a machine that knows nothing of time.":
    "把多少帧当作一个整体来看；1 表示对时间一无所知。",
  "Windows to learn from begin at multiples of this many frames of their piece.":
    "学习窗口从乐曲中这一帧数的整数倍处开始。",
  "Hidden units.":
    "隐单元的数目。",
  "How often to sample hidden and visible units in turn, for each update: the k of CD-k.":
    "每次更新轮流采样隐单元与可见单元多少次，即 CD-k 中的 k。",
  "Chains that go on from one update to the next (persistent contrastive divergence, Tieleman 2008); \"none\" begins them at the music in each update.":
    "从一次更新延续到下一次的链有多少条（持续对比散度，Tieleman 2008）；留空则每次更新都从音乐开始。",
  "Frames of a phrase.":
    "一个乐句的帧数。",
  "Frames of a bar; phrases begin at multiples of it.":
    "一小节的帧数；乐句从它的整数倍处开始。",
  "Length of z.":
    "潜变量 z 的长度。",
  "Width of both networks.":
    "两个网络的宽度。",
  "Weight of the squared gradient of the critic, at real phrases and at made ones.":
    "评判网络梯度平方的权重，对真实的和生成的乐句都计算。",
  "Share of the averaged weights that an update leaves as they are.":
    "每次更新时，平均权重中保持不变的比例。",
  "Kind of recurrent cell; the source has \"rnn\".":
    "循环单元的种类；原始实现为 rnn。",
  "Units of the recurrent cell.":
    "循环单元的大小。",
  "Hidden units of the NADE.":
    "NADE 的隐单元数。",
  "Share of what the recurrent cell says that is left out while learning.":
    "学习时，循环单元的输出中随机舍去的比例。",
  "Share of the cells of past frames that are left out while learning.":
    "学习时，过去各帧的格子中随机舍去的比例。",
  "Quarter notes of a bar, in which the recurrent network is told where it is; the source has 0, nothing.":
    "一小节有多少个四分音符，据此告知循环网络它在小节中的位置；原始实现为 0，即不告知。",
  "Hidden units of the machine.":
    "玻尔兹曼机的隐单元数。",
  "Units of the recurrent network.":
    "循环网络的单元数。",
  "Steps of a phrase; 32 are two bars of sixteenths.":
    "一个乐句的步数；32 即两小节十六分音符。",
  "Steps of a bar; phrases begin with one.":
    "一小节的步数；乐句从小节开头开始。",
  "Dimensions of the space of phrases.":
    "乐句潜空间的维数。",
  "Size of the LSTM that reads a phrase, from either end.":
    "从两端读入乐句的 LSTM 的大小。",
  "Size of the LSTM that goes from bar to bar.":
    "逐小节前进的 LSTM 的大小。",
  "Size of the LSTM that goes from step to step.":
    "逐步前进的 LSTM 的大小。",
  "Numbers by which each step tells where the phrase lies, and by which the conductor plans each step.":
    "每一步用多少个数说明乐句在潜空间中的位置，指挥层也用同样多的数安排每一步。",
  "What z is drawn from where nothing is heard: a normal distribution fitted to all phrases, or the standard.":
    "没有听入乐句时，z 从哪里抽取：拟合全部乐句的正态分布（fitted），或标准正态分布（standard）。",
  "What a nat of KL costs in the loss; 1 makes it the bound itself, less hears phrases more exactly.":
    "每 nat KL 散度在损失中的代价；1 即变分界本身，更小则听得乐句更准。",
  "Nats of KL of a phrase that cost nothing.":
    "每个乐句有多少 nat 的 KL 散度不计代价。",
  "Updates over which `beta` rises from nothing; before the decoder has found out what z is for, it is cheap.":
    "β 从零升起所用的更新次数；在解码器学会利用 z 之前，代价较低。",

  // preparation
  "Learn from each training piece in every key up to this many semitones up and down; 0 as written only.":
    "每首训练乐曲都向上、向下移调来学，最多移这么多个半音，其间各调都学；0 表示只学原调。",
  "The share of all that is learnt which is in the pieces' own keys, the rest in the other keys evenly; not set for all keys alike. A model that counts (`markov`) takes all alike.":
    "所学内容中保持乐曲原调的比例，其余平均分给其他各调；留空则各调同等对待。靠计数学习的模型（markov）始终同等对待各调。",
  "Let each rarer note or chord count while learning as if it occurred this many times; not set for as it is.":
    "学习时，让较罕见的音或和弦按出现过这么多次来计；留空则按实际次数。",
  "The share of all that is learnt in which some of the music is hidden, for the model to learn to fill it; for codecs that can tell it so (`cells`).":
    "所学内容中遮住一部分音乐的比例，让模型学会填充；只用于能表示遮盖的编码（cells）。",
  "The share of the updates that hears again what the model knew which a run goes on from, as it composes it before it begins; 0 for none. Only for a run that goes on from a model.":
    "用于复习的更新所占的比例：开始之前，被接续的模型先写下它已会的音乐，训练中再听这些音乐；0 表示不复习。只用于从已有模型继续。",

  // training
  "Ids predicted in one window; what a model learns to remember is at most this far apart.":
    "一个窗口中预测的词元数；模型学会记住的内容，相距至多这么远。",
  "Windows trained on at once.":
    "同时训练的窗口数。",
  "How gradients become steps; muon is for matrices between layers, and AdamW for the rest; sgd is plain gradient descent, without momentum.":
    "梯度如何化为更新步；muon 用于层间的矩阵，其余用 AdamW；sgd 是不带动量的普通梯度下降。",
  "How slowly Adam and AdamW forget: gradients, and their squares. Two sides that learn against one another go round in circles where gradients are long remembered (0 to 0.5 for them).":
    "Adam 与 AdamW 遗忘得多慢：先是梯度，后是梯度的平方。相互对抗着学习的双方若把梯度记得太久，就会原地打转（宜取 0 至 0.5）。",
  "Size of a step at its largest.":
    "更新步最大时的大小。",
  "Whether the learning rate falls to nothing by the last update or stays.":
    "学习率到最后一次更新时降为零（cosine），还是保持不变（constant）。",
  "Share of the updates over which the learning rate rises to its largest.":
    "学习率升到最大值所用的更新比例。",
  "How strongly AdamW pulls matrices towards 0 (biases and norms are left alone).":
    "AdamW 把矩阵拉向 0 的强度（偏置和归一化参数不受影响）。",
  "Longest gradient that is taken as it is; a longer one is shortened to it. None takes all.":
    "梯度最长多少可以照用，更长的缩短到这个长度；留空则一律照用。",
  "Updates between two looks at the held-out pieces; None for 25 looks in a run.":
    "每隔多少次更新检查一次留出曲目；留空则整个训练检查 25 次。",
  "Held-out ids looked at each time; pieces are drawn where there are more.":
    "每次检查多少个留出词元；总数更多时从中抽取乐曲。",
  "Looks without a better held-out loss after which the run ends, once it has been through the music; None never ends it early.":
    "把音乐学过一遍之后，留出损失连续多少次检查没有改善就结束训练；留空则从不提前结束。",
  "Numbers that products are computed in; auto takes bfloat16 where the machine has it. Weights stay float32.":
    "乘积用哪种数值精度计算；auto 在机器支持时采用 bfloat16。权重始终为 float32。",
  "Where to train; auto takes a GPU where there is one.":
    "在哪里训练；auto 有 GPU 就用 GPU。",
  "Processor cores to use; None for all.":
    "使用多少个处理器核心；留空则全部使用。",
  "Decides the order of the music and every random draw.":
    "决定音乐的顺序和每一次随机抽取。",
  "Seconds between checkpoints, at most; what a killed run loses at most, and less at its beginning.":
    "两个检查点之间至多相隔多少秒，也就是训练被强行中断时至多损失的时间；开始时间隔更短。",
  "Weights to keep, to be heard later: only the best, those of each improvement of the held-out loss, or those of every look.":
    "为“听它如何学会”保留哪些权重：只留最佳的（best），留出损失每次改善时的（improvements），或每次检查时的（looks）。",

  // sampling and players
  "Above 1 bolder, below 1 safer; 0 always takes the likeliest.":
    "大于 1 更大胆，小于 1 更稳妥；0 则总取最可能的。",
  "Draw from this many likeliest ids only; 0 for no limit.":
    "只从最可能的这么多个词元中抽取；0 表示不限。",
  "Draw from the likeliest ids that together have this probability (Holtzman et al. 2020).":
    "只从合计达到此概率的最可能词元中抽取（Holtzman 等，2020）。",
  "Power of the ratio of how busy a piece is now to how busy it began, or pieces usually are, by which the odds of another note fall, for codecs that tell it (`cells`); of what is filled, to how busy its tracks are around it. And metre and tempo change no oftener than in learnt music, unless the model is sure. 0 leaves all that, 4 holds pieces of minutes.":
    "乐曲现在与开头（不超出所学乐曲通常范围）的疏密之比取多少次幂，再写一个音的可能性就按它降低；只对能说出疏密的编码（cells）有效；填写之处则与其声部前后的疏密相比。拍号与速度的变化也不多于所学音乐，除非模型确有把握。0 则一概不管，4 可使数分钟的乐曲保持稳定。",
  "The same of kinds of ids that are alike, for codecs that have some (pitch classes, tempi and metres, of `cells`): of the likeliest kinds that together have this probability any id may be drawn.":
    "同上，但按同类词元（cells 的音级、速度与拍号）计算：只从合计达到此概率的最可能的几类中抽取，类中任一词元都可抽到。",
  "Leave out ids less likely than this share of the likeliest (Nguyen et al. 2024).":
    "舍去概率不到最可能词元这一比例的词元（Nguyen 等，2024）。",
  "Power that each probability to sound is raised to: above 1 fewer notes, below 1 more.":
    "每个发声概率取多少次幂：大于 1 音符较少，小于 1 较多。",
  "How much that power falls with each frame of fewer than `fewest` notes; 0 leaves it (Johnson 2015 has 0.02).":
    "每遇到一帧音数不足“最少音数”，上述幂次降低多少；0 则不变（Johnson 2015 为 0.02）。",
  "Share of the way back that the power goes with each other frame.":
    "在其余每一帧，幂次向原值恢复的比例。",
  "Notes that must sound in a frame for the power not to fall.":
    "一帧中至少要有多少个音在响，幂次才不降低。",
  "How often hidden and visible units are drawn in turn, for each window.":
    "每个窗口轮流抽取隐单元与可见单元多少次。",
  "What a window begins with where nothing is held fast: silence, noise, or the music that came just before.":
    "窗口中没有固定下来的部分从什么开始：静默（zeros），噪声（noise），或紧接在前的音乐（music）。",
  "Share of each window that is held fast to what came before; 0 makes windows that do not know of each other.":
    "每个窗口中固定为前面音乐的比例；0 则各窗口互不相知。",
  "How near each phrase is to the one before: 0 has nothing to do with it, 1 is the same point.":
    "每个乐句与前一个离得多近：0 毫无关联，1 为同一点。",
  "How far to go along a model's attributes, by name; 1 is the way from what has little of it to what has much.":
    "沿模型的各项属性走多远，按名称填写；1 即从该属性很少到很多的一整段。",
  "How often a phrase is heard and decoded anew before it is played; of no effect where the model cannot hear.":
    "乐句演奏之前重新听入并解码多少次；模型不会听入时无效。",
  "Phrases by letters, e.g. AABA, from the beginning again at the end: equal letters are decoded from one z. Empty for a new z each time.":
    "用字母表示乐句，如 AABA，到末尾后从头再来：相同的字母由同一个 z 解码。留空则每次用新的 z。",

  // what is asked for, and the plan
  "Exactly this many bars, the prompt's bars not counted.":
    "恰好这么多小节，不计给定开头的小节。",
  "At most this many seconds of new music; a piece that would end sooner goes on.":
    "新写的音乐至多这么多秒；本会提前结束的乐曲会继续下去。",
  "Exactly this many new notes.":
    "恰好这么多个新音符。",
  "No new pitch lies outside of this key or scale, e.g. G minor or D dorian; drums are not meant.":
    "新音不会超出此调或音阶，如 G minor 或 D dorian；鼓不受限制。",
  "Quarter notes without any sound after which something must be played; the guard against long silences.":
    "静默多少个四分音符之后必须奏出声音；用来防止过长的静默。",
  "Quarter notes after which a held note must end; the guard against stuck notes.":
    "持续的音到多少个四分音符必须结束；用来防止卡住不放的音。",
  "Passes over the music, in every key asked for, to make where no minutes are given, however long they take; not set for as many as there are minutes for.":
    "未指定分钟数时，把音乐（含所要求的各调）学多少遍，不论需要多久；留空则时间够学多少遍就学多少遍。",
  "Passes over the music, in every key asked for, for which there must be time; else a smaller size is taken.":
    "时间必须够把音乐（含所要求的各调）学多少遍；否则改用较小的模型。",
  "More passes over the music than this are not planned, however much time there is; where there are `epochs`, no more than those.":
    "无论时间多充裕，计划的遍数都不超过此数；设有“学习遍数”时，不超过学习遍数。",
};
