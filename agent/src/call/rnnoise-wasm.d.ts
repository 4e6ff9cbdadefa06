// SPDX-License-Identifier: Apache-2.0

/** RNNoise (https://github.com/xiph/rnnoise) as WebAssembly, by the Echogarden project; BSD-3-Clause. */
declare module '@echogarden/rnnoise-wasm' {
  export interface RnnoiseModule {
    readonly HEAPF32: Float32Array;
    _malloc(bytes: number): number;
    _free(pointer: number): void;
    /** A denoiser with the model at `pointer`, or its own for 0. */
    _rnnoise_create(pointer: number): number;
    _rnnoise_destroy(state: number): void;
    /** Takes and gives 480 samples at 48 kHz, on the scale of 16 bits; returns the probability of a voice. */
    _rnnoise_process_frame(state: number, output: number, input: number): number;
  }
  export default function load(): Promise<RnnoiseModule>;
}
