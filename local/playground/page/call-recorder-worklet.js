// SPDX-License-Identifier: Apache-2.0

// Runs on the browser's audio thread: listens to both sides of the call on one clock. Input 0 is the user, 1 the agent.

/** -50 dBFS: what `npm run converse` calls silence too. */
const SILENCE = 10 ** (-50 / 20);
/** Words have pauses: so much without sound makes a silence, which began when the sound ended. */
const PAUSE_S = 0.3;
const LEVEL_EVERY_S = 0.05;
const TAPE_EVERY_S = 0.5;

class Tape extends AudioWorkletProcessor {
  constructor() {
    super();
    /** Every second sample is enough for speech: 24 kHz of the usual 48. */
    this.step = sampleRate >= 44_100 ? 2 : 1;
    this.chunk = new Int16Array(2 * Math.ceil(((TAPE_EVERY_S + 0.01) * sampleRate) / this.step));
    this.filled = 0;
    this.peaks = [0, 0];
    this.levelAt = 0;
    this.audible = false;
    this.lastSound = 0;
    this.port.postMessage({ type: 'rate', rate: sampleRate / this.step });
  }

  process(inputs) {
    const sides = [inputs[0]?.[0], inputs[1]?.[0]];
    sides.forEach((samples, side) => {
      for (const sample of samples ?? []) {
        const size = Math.abs(sample);
        if (size > this.peaks[side]) this.peaks[side] = size;
      }
    });
    this.listen(sides[1]);
    this.write(sides);
    if (currentTime - this.levelAt >= LEVEL_EVERY_S) {
      this.port.postMessage({ type: 'level', at: currentTime, peaks: this.peaks });
      this.peaks = [0, 0];
      this.levelAt = currentTime;
    }
    return true;
  }

  listen(samples) {
    const first = samples ? samples.findIndex((sample) => Math.abs(sample) > SILENCE) : -1;
    const at = currentTime + Math.max(0, first) / sampleRate;
    if (first >= 0) this.lastSound = at;
    const audible = first >= 0 || (this.audible && currentTime - this.lastSound < PAUSE_S);
    if (audible === this.audible) return;
    this.audible = audible;
    const began = audible ? at : this.lastSound;
    this.port.postMessage({ type: 'sound', audible, at: began, now: currentTime });
  }

  write([you, agent]) {
    const size = 128;
    for (let i = 0; i < size; i += this.step) {
      this.chunk[this.filled++] = this.sample(you, i);
      this.chunk[this.filled++] = this.sample(agent, i);
    }
    if (this.filled < this.chunk.length - 2 * size) return;
    const samples = this.chunk.slice(0, this.filled);
    this.port.postMessage({ type: 'tape', samples }, [samples.buffer]);
    this.filled = 0;
  }

  sample(samples, i) {
    if (!samples) return 0;
    const value = this.step === 2 ? (samples[i] + samples[i + 1]) / 2 : samples[i];
    return Math.max(-1, Math.min(1, value)) * 32767;
  }
}

registerProcessor('tape', Tape);
