// SPDX-License-Identifier: Apache-2.0

import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { browserWindow } from './browser.js';

interface TabMessage {
  tab: string;
  inCall: boolean;
}

/** The channel of all tabs. */
const channels = new Set<FakeChannel>();
class FakeChannel {
  onmessage: (message: { data: TabMessage }) => void = () => {};
  constructor(readonly name: string) {
    channels.add(this);
  }
  postMessage(data: TabMessage) {
    for (const other of channels)
      if (other !== this && other.name === this.name) other.onmessage({ data });
  }
}
Object.assign(globalThis, { BroadcastChannel: FakeChannel });
const { OtherTabs } = await import('../../../../local/playground/page/other-tabs.js');

/** A tab, and what it knows of the others. */
function openTab() {
  const seen: boolean[] = [];
  const tabs = new OtherTabs((othersInCall) => seen.push(othersInCall));
  return { tabs, othersInCall: () => seen.at(-1) };
}

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  channels.clear();
  jest.useRealTimers();
});

it('a tab knows at once that another one began a call, and that it ended', () => {
  const [one, two] = [openTab(), openTab()];
  one.tabs.setInCall(true);
  expect([one.othersInCall(), two.othersInCall()]).toEqual([false, true]);
  one.tabs.setInCall(false);
  expect(two.othersInCall()).toBe(false);
});

it('a tab that is opened during a call learns of it within two seconds, and does not forget it', () => {
  const one = openTab();
  one.tabs.setInCall(true);
  const two = openTab();
  jest.advanceTimersByTime(2_000);
  expect(two.othersInCall()).toBe(true);
  jest.advanceTimersByTime(60_000);
  expect(two.othersInCall()).toBe(true);
});

it('a call ends with its tab, also when that says nothing any more', () => {
  const [crashing, watching] = [openTab(), openTab()];
  crashing.tabs.setInCall(true);
  const [channel] = channels;
  if (channel) channels.delete(channel);
  Object.assign(channel ?? {}, { postMessage: () => {} });
  jest.advanceTimersByTime(4_000);
  expect(watching.othersInCall()).toBe(true);
  jest.advanceTimersByTime(2_000);
  expect(watching.othersInCall()).toBe(false);
});

it('a tab that is closed says so', () => {
  const [one, two] = [openTab(), openTab()];
  one.tabs.setInCall(true);
  const leaving = new Event('pagehide');
  browserWindow.dispatchEvent(leaving);
  expect(two.othersInCall()).toBe(false);
});
