// SPDX-License-Identifier: Apache-2.0

import { createHash } from 'node:crypto';
import seedrandom from 'seedrandom';
import type { ServiceSettings } from '../../local/fleet/ecs-model.js';
import { DayRules } from './day-rules.js';
import { DAY_DEFINITION, DayWorld } from './day-world.js';
import { TASK_SLOTS } from './simulated-task.js';

const HOUR_MS = 3_600_000;
const MIN_TASKS = 2;
const MAX_TASKS = 30;
/** TargetSlotUtilization. */
const TARGET = 0.45;
/** Target tracking scales in after so many minutes below. */
const SCALE_IN_MIN = 15;
/** Callers in each hour of the day, as shares of all. */
const CURVE = [2, 1, 1, 1, 1, 2, 4, 6, 8, 9, 9, 9, 8, 8, 9, 9, 9, 9, 8, 8, 7, 6, 4, 3];
const CURVE_SUM = CURVE.reduce((sum, one) => sum + one, 0);
/** Without callers: the longest call, and tasks that notice, drain and are scaled in. */
const QUIET_H = 4;

/** What is unverified about ECS: each day has one of them. */
const SETTINGS: ServiceSettings[] = [
  {},
  { renewalBlocked: true },
  { protectedTasksDelaySuccess: true },
  { scaleIn: 'oldest', renewalBlocked: true },
  { rollbackCreatesDeployment: true },
];

/** How often in an hour something happens. */
const RATES = {
  deploy: 0.15,
  badDeploy: 0.05,
  rush: 0.08,
  taskCrash: 0.15,
  hostCrash: 0.5,
  hostHang: 0.2,
  apiOutage: 0.1,
  ecsFault: 0.15,
  connectionLoss: 0.2,
};
type Fault = keyof typeof RATES;

export interface DayOptions {
  seed: number;
  /** Hours with callers. Default 24. */
  hours?: number;
  /** The hour of the day at which they begin. Default 4: a whole day then ends in the night. */
  from?: number;
  /** Callers in 24 hours. Default 10,000. */
  calls?: number;
  /** Multiplies how often something goes wrong. Default 1. */
  trouble?: number;
  /** Hours without callers after that. Default 4: after a shorter time not everything has to be at rest. */
  quiet?: number;
  onHour?: (hour: number, world: DayWorld) => void;
  /** Stops at the first violation. Default true. */
  stop?: boolean;
}

export interface DayReport {
  seed: number;
  hours: number;
  settings: ServiceSettings;
  counts: DayWorld['counts'];
  endReasons: Record<string, number>;
  faults: Record<string, number>;
  tasks: number;
  mostTasks: number;
  medianWaitMs: number;
  maxWaitMs: number;
  /** Same seed, same digest. */
  digest: string;
  /** With the time of the day. */
  violations: string[];
}

/** A day of the service in virtual time, all of it from the seed. */
export async function simulateDay(options: DayOptions): Promise<DayReport> {
  const {
    seed,
    hours = 24,
    from = 4,
    calls = 10_000,
    trouble = 1,
    stop = true,
    quiet = QUIET_H,
  } = options;
  const random = seedrandom(`day ${seed}`);
  const between = (low: number, high: number) => low + (high - low) * random();
  const pick = <T>(items: readonly T[]): T | undefined =>
    items[Math.floor(random() * items.length)];
  const settings = SETTINGS[seed % SETTINGS.length] as ServiceSettings;
  const world = new DayWorld(random, settings);
  const rules = new DayRules(world);
  const { clock, scheduler, livekit } = world;
  const faults: Record<string, number> = {};
  let revision = 1;
  let rush = 1;
  let mostTasks = 0;

  const deploy = (bad: boolean) => {
    revision += 1;
    const name = `agent:${revision}`;
    if (bad) world.broken.add(name);
    try {
      scheduler.update({ definition: { ...DAY_DEFINITION, name } });
    } catch {
      // Five deployments have not ended.
    }
  };
  const act: Record<Fault, () => void> = {
    deploy: () => deploy(false),
    badDeploy: () => deploy(true),
    rush() {
      rush = 2.5;
      clock.after(10 * 60_000, () => {
        rush = 1;
      });
    },
    taskCrash() {
      const task = pick(world.running);
      if (task) world.crash(task);
    },
    hostCrash: () => pick(world.running.flatMap(({ hosts }) => hosts))?.die(),
    hostHang() {
      const host = pick(world.running.flatMap(({ hosts }) => hosts));
      if (host) host.hangs = true;
    },
    apiOutage() {
      const ms = between(5_000, 60_000);
      livekit.downUntil = clock.now() + ms;
      rules.trouble(ms);
    },
    ecsFault() {
      world.ecs.faults = pick([
        { delayMs: 3_000 },
        { answer: 'hang' as const },
        { answer: 'error' as const },
      ]) as typeof world.ecs.faults;
      clock.after(between(60_000, 40 * 60_000), () => {
        world.ecs.faults = {};
      });
    },
    connectionLoss: () => pick(world.running)?.loseConnection(between(1_000, 60_000)),
  };

  let hour = from;
  const rate = () => ((calls * (CURVE[hour % 24] as number)) / CURVE_SUM / HOUR_MS) * rush;
  let arriving = true;
  const nextCaller = () => {
    if (!arriving) return;
    // Median 3 minutes, and now and then one of an hour, which is longer than allowed.
    const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    world.arrive(Math.min(4_000_000, 180_000 * Math.exp(0.9 * normal)));
    clock.after(-Math.log(1 - random()) / rate(), nextCaller);
  };
  const nextFault = (name: Fault) => {
    clock.after((-Math.log(1 - random()) / (RATES[name] * trouble)) * HOUR_MS, () => {
      if (!arriving) return;
      faults[name] = (faults[name] ?? 0) + 1;
      act[name]();
      nextFault(name);
    });
  };

  const below: number[] = [];
  const scale = () => {
    clock.after(60_000, scale);
    const demand = world.running.reduce(
      (sum, { gauges }) => sum + (gauges.ExpectedCallDemand ?? 0),
      0,
    );
    const wanted = Math.min(
      MAX_TASKS,
      Math.max(MIN_TASKS, Math.ceil(demand / (TARGET * TASK_SLOTS))),
    );
    below.push(wanted);
    if (below.length > SCALE_IN_MIN) below.shift();
    const most = Math.max(...below);
    if (wanted > scheduler.desired) scheduler.update({ desired: wanted });
    else if (below.length === SCALE_IN_MIN && most < scheduler.desired)
      scheduler.update({ desired: most });
  };

  const at = () => {
    const minutes = Math.floor(clock.now() / 60_000) + from * 60;
    const time = [
      Math.floor(minutes / 60) % 24,
      minutes % 60,
      Math.floor(clock.now() / 1_000) % 60,
    ];
    return time.map((one) => String(one).padStart(2, '0')).join(':');
  };
  const violations: string[] = [];
  const pass = async (ms: number) => {
    for (const end = clock.now() + ms; clock.now() < end; ) {
      await clock.pass(1_000);
      rules.check();
      mostTasks = Math.max(mostTasks, world.running.length);
      for (const what of world.violations.splice(0)) violations.push(`${at()} ${what}`);
      if (stop && violations.length > 0) return;
    }
  };

  scheduler.update({
    desired: Math.max(MIN_TASKS, Math.ceil((rate() * 300_000) / (TARGET * TASK_SLOTS))),
    definition: DAY_DEFINITION,
  });
  await pass(180_000);
  scale();
  nextCaller();
  for (const name of Object.keys(RATES) as Fault[]) nextFault(name);
  for (let left = hours; left > 0 && (violations.length === 0 || !stop); left -= 1) {
    await pass(Math.min(1, left) * HOUR_MS);
    options.onHour?.(hour, world);
    hour += 1;
  }
  arriving = false;
  if (violations.length === 0 || !stop) await pass(quiet * HOUR_MS);
  if (quiet >= QUIET_H && (violations.length === 0 || !stop)) rules.checkEnd(MIN_TASKS);
  for (const what of world.violations.splice(0)) violations.push(`${at()} ${what}`);

  const waits = [...world.waitsMs].sort((a, b) => a - b);
  const endReasons = Object.fromEntries(world.endReasons);
  return {
    seed,
    hours,
    settings,
    counts: world.counts,
    endReasons,
    faults,
    tasks: world.tasks.size,
    mostTasks,
    medianWaitMs: Math.round(waits[Math.floor(waits.length / 2)] ?? 0),
    maxWaitMs: Math.round(waits.at(-1) ?? 0),
    digest: createHash('sha256')
      .update(
        JSON.stringify([world.waitsMs, world.counts, endReasons, scheduler.events, violations]),
      )
      .digest('hex')
      .slice(0, 12),
    violations,
  };
}
