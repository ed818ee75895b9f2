// What makes sound: the browser's audio with spessasynth's synthesiser in it, a SoundFont, a volume and a meter. Built
// when it is first needed. Leaves out what is played.

import { WorkletSynthesizer } from "spessasynth_lib";

export interface Machine {
  context: AudioContext;
  synth: WorkletSynthesizer;
  gain: GainNode;
  analyser: AnalyserNode;
}

// Browsers have worklets on https and on this machine's own address only.
export function possible(): boolean {
  return typeof AudioContext !== "undefined" && typeof AudioWorkletNode !== "undefined" && isSecureContext;
}

export async function built(
  synthesiser: string, soundfont: string, tell?: (share: number | null) => void,
): Promise<Machine> {
  if (!possible()) throw new Error("This browser cannot play: it has no audio worklets at this address.");
  const context = new AudioContext();
  void context.resume(); // while the gesture still counts
  try {
    const bytes = await fetched(soundfont, tell);
    await context.audioWorklet.addModule(synthesiser);
    // its events would tell the page of every note; nobody here listens
    const synth = new WorkletSynthesizer(context, { eventsEnabled: false });
    await synth.isReady;
    await synth.soundBankManager.addSoundBank(bytes, "studio");
    const gain = new GainNode(context);
    const analyser = new AnalyserNode(context, { fftSize: 2048 });
    synth.connect(gain);
    gain.connect(analyser).connect(context.destination);
    return { context, synth, gain, analyser };
  } catch (error) {
    void context.close();
    throw error;
  }
}

// The root of the mean square of what sounds just now, 0 for silence.
export function loudnessOf({ analyser }: Machine): number {
  const samples = new Float32Array(analyser.fftSize);
  analyser.getFloatTimeDomainData(samples);
  return Math.sqrt(samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length);
}

async function fetched(address: string, tell?: (share: number | null) => void): Promise<ArrayBuffer> {
  const answer = await fetch(address);
  if (!answer.ok || !answer.body) throw new Error(`The SoundFont did not come: ${answer.status}`);
  const length = Number(answer.headers.get("Content-Length")) || null;
  const parts: BlobPart[] = [];
  let bytes = 0;
  const reader = answer.body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    parts.push(value);
    bytes += value.length;
    tell?.(length ? Math.min(1, bytes / length) : null);
  }
  tell?.(1);
  return new Blob(parts).arrayBuffer();
}
