// SPDX-License-Identifier: Apache-2.0

// Runs on the browser's audio thread and receives both sides of the call on one clock. Input 0 is the user, 1 the agent.

/** -50 dBFS, as in `npm run call`. */
const SILENCE = 10 ** (-50 / 20);
/** Pauses between words are shorter; a longer one counts as silence, which began when the sound ended. */
const PAUSE_S = 0.3;
const LEVEL_INTERVAL_S = 0.05;
const SAMPLES_INTERVAL_S = 0.5;
/** Samples in one call of process(). */
const QUANTUM = 128;

class CallRecorderProcessor extends AudioWorkletProcessor {
  constructor() {
    super();
    /** Half the usual 48 kHz is enough for speech. */
    this.step = sampleRate >= 44_100 ? 2 : 1;
    this.chunk = new Int16Array(
      2 * Math.ceil(((SAMPLES_INTERVAL_S + 0.01) * sampleRate) / this.step),
    );
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
        const level = Math.abs(sample);
        if (level > this.peaks[side]) this.peaks[side] = level;
      }
    });
    this.detectSound(sides[1]);
    this.write(sides);
    if (currentTime - this.levelAt >= LEVEL_INTERVAL_S) {
      this.port.postMessage({ type: 'level', at: currentTime, peaks: this.peaks });
      this.peaks = [0, 0];
      this.levelAt = currentTime;
    }
    return true;
  }

  detectSound(samples) {
    const first = samples ? samples.findIndex((sample) => Math.abs(sample) > SILENCE) : -1;
    const at = currentTime + Math.max(0, first) / sampleRate;
    if (first >= 0) this.lastSound = at;
    const audible = first >= 0 || (this.audible && currentTime - this.lastSound < PAUSE_S);
    if (audible === this.audible) return;
    this.audible = audible;
    const since = audible ? at : this.lastSound;
    this.port.postMessage({ type: 'sound', audible, at: since, now: currentTime });
  }

  write([you, agent]) {
    for (let i = 0; i < QUANTUM; i += this.step) {
      this.chunk[this.filled++] = this.sample(you, i);
      this.chunk[this.filled++] = this.sample(agent, i);
    }
    if (this.filled < this.chunk.length - 2 * QUANTUM) return;
    const samples = this.chunk.slice(0, this.filled);
    this.port.postMessage({ type: 'samples', samples }, [samples.buffer]);
    this.filled = 0;
  }

  sample(samples, i) {
    if (!samples) return 0;
    const value = this.step === 2 ? (samples[i] + samples[i + 1]) / 2 : samples[i];
    return Math.max(-1, Math.min(1, value)) * 32767;
  }
}

registerProcessor('call-recorder', CallRecorderProcessor);
