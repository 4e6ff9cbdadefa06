// SPDX-License-Identifier: Apache-2.0

interface Tokens {
  speechTokens: number;
  textTokens: number;
}

/** Tokens of one usageEvent, by direction and kind. */
export interface UsageDelta {
  input?: Partial<Tokens>;
  output?: Partial<Tokens>;
}

const none = (): Tokens => ({ speechTokens: 0, textTokens: 0 });
const full = (tokens?: Partial<Tokens>): Tokens => ({ ...none(), ...tokens });

/** Tokens of a second of speech: 20 per 800 ms of output (capture). */
export const SPEECH_TOKENS_PER_SECOND = 25;

/** About four letters a token: plausible, not the model's tokenizer. */
export const textTokens = (text: string): number => Math.ceil(text.length / 4);

/** A session's token counts: deltas and totals, as usageEvents carry them. */
export class Usage {
  private readonly total = { input: none(), output: none() };

  /** Adds a delta and returns the body of a usageEvent without its ids. */
  add(delta: UsageDelta): Record<string, unknown> {
    const change = { input: full(delta.input), output: full(delta.output) };
    for (const side of ['input', 'output'] as const) {
      this.total[side].speechTokens += change[side].speechTokens;
      this.total[side].textTokens += change[side].textTokens;
    }
    const { input, output } = this.total;
    const totalInputTokens = input.speechTokens + input.textTokens;
    const totalOutputTokens = output.speechTokens + output.textTokens;
    return {
      details: { delta: change, total: { input: { ...input }, output: { ...output } } },
      totalInputTokens,
      totalOutputTokens,
      totalTokens: totalInputTokens + totalOutputTokens,
    };
  }
}
