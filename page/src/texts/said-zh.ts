// What the server says in English, word for word, in Chinese. Sentences that hold values are in `sentences-zh` and
// `refusals-zh`, and those of settings in `settings-zh`; what is nowhere is shown as it is.

export const said: Record<string, string> = {
  // units
  "files": "个文件",
  "updates": "次更新",
  "notes": "个音符",
  "pieces": "首",
  "checkpoints": "个检查点",
  "systems": "个系统",
  "minutes": "分钟",
  "bars": "小节",
  "steps": "步",
  "ids": "个词元",
  "tokens": "个词元",
  "models": "个模型",
  "sizes": "种大小",
  "plans": "个计划",
  "runs": "次训练",
  "graphs": "个计算图",
  "sets": "组",

  // what jobs do
  "Reading files": "读取文件",
  "Training": "训练",
  "Planning": "计划",
  "Encoding": "编码",
  "Counting": "计数",
  "Counting a Markov chain": "为马尔可夫链计数",
  "Composing": "作曲",
  "Composing what it knows": "写下已会的音乐",
  "Composing with a Markov chain": "用马尔可夫链作曲",
  "Foretelling music": "预测音乐",
  "Auditioning": "试听",
  "Comparing": "比较",
  "Comparing sets": "比较两组乐曲",
  "Judging pieces": "评估乐曲",
  "Judging human pieces": "评估人类乐曲",
  "Opening human music": "打开人类音乐",
  "Indexing": "建立索引",
  "Interpolating": "插值",
  "Measuring": "测量",
  "Measuring it as it came": "测量开始时的模型",
  "Shrinking": "压缩",
  "Writing": "写入",
  "Drawing and playing": "绘制与演奏",

  // models
  "Only a model with a space in which pieces lie near one another can do this; train one by the recipe vae.":
    "只有能把相似乐曲放在一起的模型才能这样做；请用配方 vae 训练一个。",
  "This model writes pieces from their beginning to their end and has not learnt to fill; train one by the recipe nested.":
    "这个模型只会从头写到尾，没有学过填充；请用配方 nested 训练一个。",

  // recipes
  "A nested Transformer on events in cells: every track, the pedal and all lengths, and attention over whole events; the recipe to begin with.":
    "嵌套 Transformer，以事件格表示音乐：涵盖所有音轨、踏板与时值，并对整个事件做注意力；适合入门。",
  "An LSTM on MidiTok's tokens: rhythm, dynamics and several instruments.":
    "基于 MidiTok 词元的 LSTM：有节奏、力度和多种乐器。",
  "A GRU on MidiTok's tokens: quicker than an LSTM of the same size, with a gate and a memory less.":
    "基于 MidiTok 词元的 GRU：比同样大小的 LSTM 更快，少一个门和一份记忆。",
  "A plain recurrent network on MidiTok's tokens: what gates are measured against.":
    "基于 MidiTok 词元的普通循环网络：用来衡量门控的作用。",
  "A Markov chain with back-off, trained by counting: what every network must beat.":
    "带回退的马尔可夫链，靠计数训练：每个网络都必须胜过它。",
  "An LSTM on notes and chords by name, with durations, rests and octaves: one instrument, quick to learn.":
    "以音名与和弦名为单位的 LSTM，含时值、休止与八度：单一乐器，学得快。",
  "A recurrent variational autoencoder of two-bar phrases (after MusicVAE): sample, reconstruct, interpolate.":
    "两小节乐句的循环变分自编码器（仿 MusicVAE）：可采样、重建、插值。",
  "A generative adversarial network over phrases of four bars (after MuseGAN): quick phrases, no likelihood.":
    "四小节乐句的生成对抗网络（仿 MuseGAN）：生成乐句很快，但没有似然。",
  "LSTMs along time that all pitches share, then from pitch to pitch: the biaxial network, on a grid of sixteenths.":
    "双轴网络：先沿时间、再沿音高的 LSTM，以十六分音符为网格。",
  "A recurrent network that sets the biases of a NADE: frame by frame, each from the lowest pitch up, with an exact likelihood.":
    "由循环网络设定 NADE 的偏置：逐帧、自低音向上，似然精确。",
  "A recurrent network that sets the biases of a restricted Boltzmann machine, frame by frame.":
    "由循环网络逐帧设定受限玻尔兹曼机的偏置。",
  "A restricted Boltzmann machine over single frames: which pitches sound together, and nothing of time.":
    "单帧受限玻尔兹曼机：只学哪些音同时响起，不涉及时间。",
  "A restricted Boltzmann machine over windows of eight bars of the 78-pitch state matrix, by contrastive divergence.":
    "八小节窗口、78 个音高状态矩阵上的受限玻尔兹曼机，用对比散度训练。",
  "The first Keras tutorial: notes and chords by name, a step each, through three layers of LSTM(512).":
    "最早的 Keras 教程：音名与和弦名逐步输入三层 LSTM(512)。",
  "The first Keras tutorial with Adam: stops when held-out songs are foretold no better, and draws what comes next.":
    "用 Adam 的最早 Keras 教程：留出曲目不再预测得更好时停止，并按概率抽取下一个音。",
  "A Keras tutorial with one-hot input: notes and chords by frequency through LSTM(512) and LSTM(256).":
    "独热输入的 Keras 教程：按频率编号的音与和弦，经 LSTM(512) 和 LSTM(256)。",
  "A Keras tutorial for lofi loops: windows of 32, rare notes learnt as often as 700 times, half-beat steps.":
    "制作 lofi 循环的 Keras 教程：窗口 32，罕见音最多重复学习 700 次，以半拍为步。",
};
