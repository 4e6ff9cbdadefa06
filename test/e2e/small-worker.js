// The workers that tests start keep few processes warm: by default each boots twelve, which takes ten seconds of a core.
process.env.CALLS_PER_TASK = '4';
process.env.SPARE_PROCESSES = '0';
