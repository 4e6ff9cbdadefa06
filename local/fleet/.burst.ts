process.env.NODE_ENV = 'production';
const { Fleet } = await import('./fleet.js');
const N = Number(process.argv[2] ?? 10);
const fleet = await Fleet.start({
  callsPerTask: N,
  say: (l: string) => console.log(l),
  regions: ['us-east-1', 'us-west-2'],
});
try {
  const [w] = await fleet.startWorkers(1);
  for (let round = 0; round < 2; round++) {
    await w!.until((h) => h.warm >= N, 60000);
    const callers = await fleet.join(N);
    await new Promise((r) => setTimeout(r, 2000));
    const t0 = Date.now();
    const offers = await Promise.all(callers.map((c) => fleet.offer(c)));
    console.log('all offered after', Date.now() - t0);
    const joined = await Promise.all(callers.map((c) => c.untilAgent(20000)));
    const rows = callers.map((c, i) => {
      const job = c.agentIdentity!.replace('agent-', '');
      const t = (msg: string, key = 'call_id') =>
        (w!.log.find((l) => l.msg === msg && l[key] === job)?.time ?? NaN) - t0;
      const ready = c.feed.find((f) => f.type === 'ready')?.at;
      const opened = c.feed.find((f) => f.type === 'stream' && f.event === 'opened')?.at;
      return {
        offered: offers[i]!.at - t0,
        req: t('received job request', 'jobId'),
        acc: t('call accepted'),
        began: t('call began'),
        conn: t('Connect callback received', 'jobID'),
        joined: joined[i]! - t0,
        ready: ready! - t0,
        opened: opened! - t0,
      };
    });
    console.table(rows.sort((a, b) => a.joined - b.joined));
    await new Promise((r) => setTimeout(r, 3000));
    await fleet.hangUp();
    const e = Date.now();
    await w!.until((h) => h.calls === 0, 30000);
    console.log('all ended after', Date.now() - e);
    await w!.until((h) => h.warm >= N, 60000);
    console.log('all warm after', Date.now() - e);
  }
} finally {
  await fleet.stop();
}
process.exit(0);
