// SPDX-License-Identifier: Apache-2.0

import { init } from 'echarts';
import type { PatternRun } from './run-pattern.js';

const POINTS = 600;

/** Calls, the slots for them, and refused callers over time, as an SVG image. */
export function plotSvg({ pattern, history, eventAt, end }: PatternRun): string {
  const from = Math.max(0, eventAt - 300);
  const step = Math.max(1, Math.ceil((end - from) / POINTS));
  const points = (series: Float64Array, combine: 'last' | 'sum'): [number, number][] =>
    Array.from({ length: Math.floor((end - from) / step) }, (_, index) => {
      const at = from + index * step;
      const values = series.subarray(at, at + step);
      const value = combine === 'last' ? values[0] : values.reduce((sum, one) => sum + one, 0);
      return [(at - eventAt) / 60, value ?? 0];
    });
  const chart = init(null, null, { renderer: 'svg', ssr: true, width: 900, height: 420 });
  chart.setOption({
    animation: false,
    backgroundColor: '#ffffff',
    title: { text: `Callers come: ${pattern.name}`, left: 'center' },
    legend: { bottom: 0 },
    grid: { left: 60, right: 60, top: 50, bottom: 70 },
    xAxis: { type: 'value', name: 'minutes', nameLocation: 'middle', nameGap: 25, min: 'dataMin' },
    yAxis: [
      { type: 'value', name: 'calls, slots' },
      { type: 'value', name: `refused in ${step} s`, splitLine: { show: false } },
    ],
    series: [
      {
        name: 'slots of tasks that take calls',
        type: 'line',
        step: 'end',
        showSymbol: false,
        data: points(history.capacity, 'last'),
      },
      { name: 'calls', type: 'line', showSymbol: false, data: points(history.calls, 'last') },
      {
        name: 'refused callers',
        type: 'bar',
        yAxisIndex: 1,
        itemStyle: { color: '#c0392b' },
        data: points(history.refused, 'sum'),
      },
    ],
  });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return svg;
}
