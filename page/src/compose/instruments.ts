// The instruments of General MIDI by their program numbers, as the server names them, and the families they belong to.

const NAMES = `
  Acoustic Grand Piano, Bright Acoustic Piano, Electric Grand Piano, Honky-tonk Piano, Electric Piano 1,
  Electric Piano 2, Harpsichord, Clavinet, Celesta, Glockenspiel, Music Box, Vibraphone, Marimba, Xylophone,
  Tubular Bells, Dulcimer, Drawbar Organ, Percussive Organ, Rock Organ, Church Organ, Reed Organ, Accordion,
  Harmonica, Tango Accordion, Nylon Guitar, Steel Guitar, Jazz Guitar, Clean Guitar, Muted Guitar,
  Overdriven Guitar, Distortion Guitar, Guitar Harmonics, Acoustic Bass, Fingered Bass, Picked Bass,
  Fretless Bass, Slap Bass 1, Slap Bass 2, Synth Bass 1, Synth Bass 2, Violin, Viola, Cello, Contrabass,
  Tremolo Strings, Pizzicato Strings, Harp, Timpani, String Ensemble 1, String Ensemble 2, Synth Strings 1,
  Synth Strings 2, Choir Aahs, Voice Oohs, Synth Voice, Orchestra Hit, Trumpet, Trombone, Tuba, Muted Trumpet,
  French Horn, Brass Section, Synth Brass 1, Synth Brass 2, Soprano Sax, Alto Sax, Tenor Sax, Baritone Sax, Oboe,
  English Horn, Bassoon, Clarinet, Piccolo, Flute, Recorder, Pan Flute, Blown Bottle, Shakuhachi, Whistle,
  Ocarina, Square Lead, Sawtooth Lead, Calliope Lead, Chiff Lead, Charang Lead, Voice Lead, Fifths Lead,
  Bass and Lead, New Age Pad, Warm Pad, Polysynth Pad, Choir Pad, Bowed Pad, Metallic Pad, Halo Pad, Sweep Pad,
  Rain, Soundtrack, Crystal, Atmosphere, Brightness, Goblins, Echoes, Sci-fi, Sitar, Banjo, Shamisen, Koto,
  Kalimba, Bagpipe, Fiddle, Shanai, Tinkle Bell, Agogo, Steel Drums, Woodblock, Taiko Drum, Melodic Tom,
  Synth Drum, Reverse Cymbal, Guitar Fret Noise, Breath Noise, Seashore, Bird Tweet, Telephone Ring, Helicopter,
  Applause, Gunshot`;

export const INSTRUMENTS: readonly string[] = NAMES.split(",").map((name) => name.trim());
export const DRUMS = INSTRUMENTS.length; // stand after the programs
export const OF_A_FAMILY = 8;
export const FAMILIES = [
  "piano", "chromatic", "organ", "guitar", "bass", "strings", "ensemble", "brass",
  "reed", "pipe", "lead", "pad", "effects", "world", "percussive", "sounds",
] as const;

/** As the server takes it. */
export const nameForServer = (program: number): string => (program === DRUMS ? "drums" : (INSTRUMENTS[program] ?? "").toLowerCase());
