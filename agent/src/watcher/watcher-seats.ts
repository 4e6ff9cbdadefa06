// SPDX-License-Identifier: Apache-2.0

import type { MonotonicClock } from '../clock.js';
import type { RoomsApi } from './rooms-api.js';

/** How many workers stand by, the one that watches included. The others cost LiveKit four requests a minute. */
const SEATS = 3;
const BEAT_MS = 500;
/** A seat that has not changed for so long is free; on a slow API, for four of its slowest answers. */
const STALE_MS = 1_500;
const ROUND_TRIPS = 4;
/** From the claim of a seat until it counts: another worker's claim may be on its way. */
const SETTLE_MS = 1_000;
/** A worker without a seat looks for one so often, on average. */
const SEEK_MS = 15_000;
/** After a claim that another worker got, there may be another free seat. */
const SEEK_AGAIN_MS = 1_000;
/** Answers that the slowest is taken from. */
const MEMORY = 5;

export interface WatcherSeatsOptions {
  /** The seats are the metadata of the rooms `NAME-0` to `NAME-2`. */
  name: string;
  /** Distinguishes this worker from the others. */
  worker: string;
  /** 0 to 1. Default: Math.random. */
  random?: () => number;
  onFailure?: (error: unknown) => void;
  /** What the worker that watches sends to the others with each heartbeat. Default: nothing. */
  note?: () => object;
  /** Whether the process of a worker is known to be gone: its seat is free at once. Default: nothing is known. */
  isLost?: (worker: string) => boolean;
  /** Finds out whether this worker is the only one: then nobody else can claim a seat. Default: that is not known. */
  isAlone?: () => Promise<boolean>;
}

interface Seat {
  room: string;
  document: string;
  changedAt: number;
}

/**
 * Decides which of the workers watches: the one in the first seat that is in use. Seats are rooms without participants,
 * whose metadata names their worker and changes twice a second, so that nobody's clock is compared with another's.
 *
 * LiveKit's API has no compare-and-set: a claim is written and has to be there still a second later. Two workers that
 * watch at once, for a moment, must do no harm, and do not (see CallRedispatch and the agent that finds another one).
 */
export class WatcherSeats {
  readonly #clock: MonotonicClock;
  readonly #api: Pick<RoomsApi, 'listRooms' | 'writeMetadata'>;
  readonly #options: Required<WatcherSeatsOptions>;
  readonly #seats: Seat[];
  #mine: Seat | undefined;
  #beats = 0;
  /** When the last beat that arrived was sent. */
  #beatAt = Number.NEGATIVE_INFINITY;
  #roundTrips: number[] = [];
  #running = false;
  /** It has no seat, and will look for one later. */
  #rests = false;
  #soughtAt = Number.NEGATIVE_INFINITY;
  #cancel = () => {};

  constructor(
    clock: MonotonicClock,
    api: Pick<RoomsApi, 'listRooms' | 'writeMetadata'>,
    options: WatcherSeatsOptions,
  ) {
    this.#clock = clock;
    this.#api = api;
    this.#options = {
      ...{ random: Math.random, onFailure: () => {}, note: () => ({}) },
      ...{ isLost: () => false, isAlone: async () => false },
      ...options,
    };
    this.#seats = seatRooms(options.name).map((room) => ({
      room,
      document: '',
      changedAt: Number.NEGATIVE_INFINITY,
    }));
  }

  /** Whether this worker is the one that watches, now. */
  get watching(): boolean {
    const mine = this.#mine;
    if (!mine || this.#clock.now() - this.#beatAt > this.#staleMs) return false;
    const before = this.#seats.slice(0, this.#seats.indexOf(mine));
    return !before.some((seat) => this.#inUse(seat));
  }

  /** Whether this worker watches, or stands by. */
  get seated(): boolean {
    return this.#mine !== undefined;
  }

  /** Whether a room is one of the watchers', of any service: it has no callers. */
  static isSeat(room: string): boolean {
    return room.startsWith(SEAT_ROOMS);
  }

  start(): void {
    if (this.#running) return;
    this.#running = true;
    void this.#run();
  }

  /** Looks for a seat now rather than later when all workers that have one are known to be gone. */
  seekIfAllLost(): void {
    const now = this.#clock.now();
    if (!this.#rests || now - this.#soughtAt < SEEK_AGAIN_MS) return;
    const holders = this.#seats.flatMap((seat) => holderOf(seat) ?? []);
    if (holders.length === 0 || !holders.every((holder) => this.#options.isLost(holder))) return;
    this.#soughtAt = now;
    this.#cancel();
  }

  /** Gives the seat up, so that the next worker takes over at once. */
  async stop(): Promise<void> {
    this.#running = false;
    this.#cancel();
    const mine = this.#mine;
    this.#mine = undefined;
    if (mine) await this.#api.writeMetadata(mine.room, '').catch(() => {});
  }

  get #staleMs(): number {
    return Math.max(STALE_MS, ROUND_TRIPS * Math.max(0, ...this.#roundTrips));
  }

  async #run(): Promise<void> {
    let pauseMs = 0;
    while (this.#running) {
      this.#rests = pauseMs > 0 && !this.#mine;
      if (pauseMs > 0) await this.#pause(pauseMs);
      this.#rests = false;
      if (this.#mine) await this.#keep();
      else pauseMs = (await this.#seek()) * (0.5 + this.#options.random());
      if (this.#mine) pauseMs = BEAT_MS;
    }
  }

  /** One beat: this seat's sign of life, and a look at the others. */
  async #keep(): Promise<void> {
    const mine = this.#mine;
    if (!mine || !this.#running) return;
    await Promise.all([this.#write(mine), this.#read()]);
    // None: LiveKit has lost the room.
    if (![undefined, this.#options.worker].includes(holderOf(mine))) this.#mine = undefined;
  }

  /** Takes a free seat, if there is one; returns after how long to look again. */
  async #seek(): Promise<number> {
    const alone = await this.#options.isAlone();
    const answered = await this.#read();
    if (!alone && !this.#seats.some((seat) => seat.document === '' || this.#isLost(seat))) {
      // Those who hold the seats have so long to show that they are alive.
      await this.#pause(this.#staleMs + BEAT_MS);
      await this.#read();
    }
    const free = alone ? this.#seats[0] : this.#seats.find((seat) => !this.#inUse(seat));
    if (!this.#running || !answered) return SEEK_AGAIN_MS;
    if (!free) return SEEK_MS;
    if (!(await this.#write(free))) return SEEK_AGAIN_MS;
    if (!alone) await this.#pause(SETTLE_MS);
    const settled = await this.#read();
    if (settled && this.#running && holderOf(free) === this.#options.worker) {
      this.#mine = free;
      await this.#keep();
    }
    return SEEK_AGAIN_MS;
  }

  async #read(): Promise<boolean> {
    const rooms = await this.#timed(() => this.#api.listRooms(this.#seats.map(({ room }) => room)));
    if (!rooms) return false;
    for (const seat of this.#seats) {
      const document = rooms.find(({ name }) => name === seat.room)?.metadata ?? '';
      if (document === seat.document) continue;
      seat.document = document;
      seat.changedAt = this.#clock.now();
    }
    return true;
  }

  async #write(seat: Seat): Promise<boolean> {
    const sentAt = this.#clock.now();
    this.#beats += 1;
    const { worker, note } = this.#options;
    const document = JSON.stringify({
      ...{ worker, beat: this.#beats },
      ...(this.watching && note()),
    });
    const written = await this.#timed(async () => {
      await this.#api.writeMetadata(seat.room, document);
      return true;
    });
    if (written) this.#beatAt = sentAt;
    return written === true;
  }

  async #timed<T>(request: () => Promise<T>): Promise<T | undefined> {
    const start = this.#clock.now();
    try {
      const answer = await request();
      this.#roundTrips = [...this.#roundTrips, this.#clock.now() - start].slice(-MEMORY);
      return answer;
    } catch (error) {
      this.#options.onFailure(error);
      return undefined;
    }
  }

  #inUse(seat: Seat): boolean {
    const { document, changedAt } = seat;
    if (document === '' || this.#clock.now() - changedAt > this.#staleMs) return false;
    return !this.#isLost(seat);
  }

  /** Whether the process of its worker is known to be gone. */
  #isLost(seat: Seat): boolean {
    const holder = holderOf(seat);
    return holder !== undefined && this.#options.isLost(holder);
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#clock.after(ms, resolve);
      this.#cancel = () => {
        cancel();
        resolve();
      };
    });
  }
}

/** The rooms of a service's seats. @param name see seatName */
export function seatRooms(name: string): string[] {
  return Array.from({ length: SEATS }, (_, i) => `${name}-${i}`);
}

const SEAT_ROOMS = 'nova-sonic-watcher';

/** The name of a service's seats: services with the same agent name are one, to LiveKit as well. */
export function seatName(agentName: string): string {
  return agentName ? `${SEAT_ROOMS}-${agentName}` : SEAT_ROOMS;
}

function holderOf({ document }: Seat): string | undefined {
  try {
    return (JSON.parse(document) as { worker?: string }).worker;
  } catch {
    return undefined;
  }
}
