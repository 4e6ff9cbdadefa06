// SPDX-License-Identifier: Apache-2.0

/** Encodes 16-bit samples with interleaved channels as WAV. */
export function encodeWav(chunks: readonly Int16Array[], channels: number, rate: number): Blob {
  const size = chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0);
  const header = new DataView(new ArrayBuffer(44));
  const text = (at: number, word: string) =>
    [...word].forEach((letter, i) => {
      header.setUint8(at + i, letter.charCodeAt(0));
    });
  text(0, 'RIFF');
  header.setUint32(4, 36 + size, true);
  text(8, 'WAVEfmt ');
  header.setUint32(16, 16, true);
  header.setUint16(20, 1, true);
  header.setUint16(22, channels, true);
  header.setUint32(24, rate, true);
  header.setUint32(28, rate * channels * 2, true);
  header.setUint16(32, channels * 2, true);
  header.setUint16(34, 16, true);
  text(36, 'data');
  header.setUint32(40, size, true);
  return new Blob([header.buffer, ...(chunks as readonly Int16Array<ArrayBuffer>[])], {
    type: 'audio/wav',
  });
}
