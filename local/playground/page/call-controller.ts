// SPDX-License-Identifier: Apache-2.0

import { DisconnectReason } from 'livekit-client';
import { initialCallState } from '../state/call-state.js';
import { type ConnectionDetails, createCall, fetchTarget } from './api.js';
import { CallRecorder, type Levels } from './call-recorder.js';
import { devices, refreshDevices, storePreference } from './devices.js';
import { keepCall, takeKeptCall } from './kept-call.js';
import { Microphone } from './microphone.js';
import { OtherTabs } from './other-tabs.js';
import {
  bedrockEvents,
  type CallPhase,
  clearProblem,
  currentTarget,
  dispatch,
  levels,
  pageState,
  showProblem,
} from './page-state.js';
import type { Problem } from './problems.js';
import * as problems from './problems.js';
import { RoomConnection, type RoomConnectionEvents } from './room-connection.js';

/** An agent that is available joins sooner. */
const AGENT_TIMEOUT_MS = 10_000;
/** After a reconnect the agent is visible again within this time, if it is still there. */
const AGENT_GONE_MS = 2_500;
/** Problems that the end of the call solves. */
const CALL_PROBLEMS = ['connection', 'agent', 'silent', 'tab', 'microphone', 'speaker'];

/** What lives as long as one call. */
interface ActiveCall {
  connection: RoomConnection;
  /** Absent where the browser has no AudioWorklet: then there are no meters and no download. */
  recorder?: CallRecorder | undefined;
  microphone?: Microphone;
  agentTimer?: ReturnType<typeof setTimeout>;
  agentIdentity?: string;
  connectionLost: boolean;
}

/** Does what the user asks for, and reacts to what happens in the call; the result is in page-state.ts. */
class CallController {
  #active: ActiveCall | undefined;
  /** Of the last call, for download until the next one starts. */
  #lastRecorder: CallRecorder | undefined;
  #otherTabs: OtherTabs | undefined;

  /** Called once, when the page has loaded. */
  async start(): Promise<void> {
    try {
      pageState.merge({ target: await fetchTarget() });
    } catch {
      showProblem(problems.noServer(currentTarget()));
    }
    const kept = takeKeptCall();
    if (kept) {
      pageState.merge({ call: kept.call, phase: 'ended' });
      bedrockEvents.set(kept.bedrockEvents);
      showProblem(problems.pageReloaded);
    }
    await refreshDevices().catch(() => {});
    navigator.mediaDevices?.addEventListener('devicechange', () => void refreshDevices());
    this.#otherTabs = new OtherTabs((othersInCall) =>
      othersInCall && pageState.get().inCall ? showProblem(problems.otherTab) : clearProblem('tab'),
    );
    window.addEventListener('pagehide', () => {
      const { inCall, call } = pageState.get();
      if (inCall && call) keepCall(call, bedrockEvents.get());
      void this.#active?.connection.hangUp();
    });
  }

  async call(): Promise<void> {
    if (pageState.get().inCall) return;
    this.#lastRecorder = undefined;
    bedrockEvents.set([]);
    pageState.merge({
      phase: 'connecting',
      inCall: true,
      call: initialCallState(Date.now()),
      problems: [],
      muted: false,
      talking: false,
      microphone: false,
      recorded: false,
    });
    const active: ActiveCall = {
      connection: new RoomConnection(this.#connectionEvents()),
      connectionLost: false,
    };
    this.#active = active;
    const isActive = () => this.#active === active;
    // First: browsers allow audio only soon after a click.
    active.recorder = await CallRecorder.open({
      onLevels: (now) => this.#onLevels(now),
      onSound: (audible, at) => dispatch({ kind: 'sound', at, audible }),
    }).catch(() => undefined);
    this.#lastRecorder = active.recorder;
    let details: ConnectionDetails;
    try {
      details = await createCall();
    } catch (error) {
      const noServer = error instanceof TypeError;
      const target = currentTarget();
      return this.#fail(active, noServer ? problems.noServer(target) : problems.callFailed(error));
    }
    if (!isActive()) return;
    await this.openMicrophone();
    if (!isActive()) return;
    try {
      await active.connection.connect(details);
      if (!isActive()) return void active.connection.hangUp();
      dispatch({ kind: 'answered', at: Date.now() });
      pageState.merge({ recorded: active.recorder !== undefined });
      if (active.microphone) await active.connection.publish(active.microphone.track);
      if (devices.get().speaker) await this.selectSpeaker(devices.get().speaker);
    } catch (error) {
      return this.#fail(active, problems.connectFailed(error, currentTarget()));
    }
    this.#otherTabs?.setInCall(true);
    this.#expectAgent(active);
  }

  #expectAgent(active: ActiveCall): void {
    clearTimeout(active.agentTimer);
    active.agentTimer = setTimeout(() => {
      const { agentPresent, waiting } = active.connection;
      if (this.#active === active && !agentPresent && !waiting)
        showProblem(problems.noAgent(currentTarget()));
    }, AGENT_TIMEOUT_MS);
  }

  async hangUp(): Promise<void> {
    const connection = this.#active?.connection;
    this.#end();
    await connection?.hangUp();
  }

  async openMicrophone(): Promise<void> {
    const active = this.#active;
    if (!active || active.microphone) return;
    try {
      const microphone = await Microphone.open(devices.get().microphone, (track) =>
        active.recorder?.setTrack('you', track),
      );
      if (this.#active !== active) return microphone.close();
      active.microphone = microphone;
      if (pageState.get().pushToTalk) microphone.transmit(false);
      pageState.merge({ microphone: true });
      clearProblem('microphone');
      // Before the room is joined, `call` publishes it.
      if (pageState.get().call?.answeredAt) await active.connection.publish(microphone.track);
      await refreshDevices();
    } catch (error) {
      showProblem(problems.microphoneProblem(error, () => void this.openMicrophone()));
    }
  }

  async selectMicrophone(deviceId: string): Promise<void> {
    const microphone = this.#active?.microphone;
    if (!microphone) return this.openMicrophone();
    try {
      await microphone.switchDevice(deviceId);
      for (const id of ['silent', 'microphone']) clearProblem(id);
    } catch (error) {
      const retry = () => void this.selectMicrophone(devices.get().microphone);
      showProblem(problems.microphoneProblem(error, retry));
    }
  }

  async selectSpeaker(deviceId: string): Promise<void> {
    try {
      await this.#active?.connection.setSpeaker(deviceId);
      clearProblem('speaker');
    } catch {
      showProblem(problems.noSpeaker);
    }
  }

  async mute(muted: boolean): Promise<void> {
    pageState.merge({ muted });
    await this.#active?.microphone?.mute(muted);
  }

  setPushToTalk(on: boolean): void {
    pageState.merge({ pushToTalk: on, talking: false });
    storePreference('pushToTalk', on ? 'yes' : 'no');
    this.#active?.microphone?.transmit(!on);
  }

  /** Push-to-talk: the user presses or releases the button. */
  setTalking(talking: boolean): void {
    const state = pageState.get();
    if (!state.pushToTalk || state.talking === talking) return;
    pageState.merge({ talking });
    this.#active?.microphone?.transmit(talking);
  }

  async sendText(text: string): Promise<void> {
    await this.#active?.connection.sendText(text);
  }

  async startPlayback(): Promise<void> {
    await this.#active?.connection.startPlayback().catch(() => {});
  }

  /** The audio of the current or last call as WAV; undefined when there is none. */
  recording(): Blob | undefined {
    const recorder = this.#lastRecorder;
    return recorder && recorder.seconds > 0 ? recorder.toWav() : undefined;
  }

  #connectionEvents(): RoomConnectionEvents {
    return {
      onAction: dispatch,
      onAgentState: (state, identity) => {
        const active = this.#active;
        if (!active) return;
        if (active.agentIdentity && active.agentIdentity !== identity)
          showProblem(problems.newAgent);
        else clearProblem('agent');
        active.agentIdentity = identity;
        if (!active.connectionLost) pageState.merge({ phase: callPhase(state) });
      },
      onAgentLeft: () => this.#active && this.#endUnlessAgentReturns(this.#active),
      onWaiting: (waiting) => {
        const active = this.#active;
        // An agent that is there, but does not speak yet, has its own state.
        if (!active || active.connectionLost || active.connection.agentPresent) return;
        pageState.merge({ phase: waiting ? 'waiting' : 'connecting' });
        if (waiting) clearProblem('agent');
        else this.#expectAgent(active);
      },
      onAgentTrack: (track) => this.#active?.recorder?.setTrack('agent', track),
      onConnection: (state) => this.#onConnection(state),
      onPlaybackBlocked: (playbackBlocked) => pageState.merge({ playbackBlocked }),
      onDisconnected: (reason) => {
        // Before the call is answered, `call` handles the failure.
        const { call } = pageState.get();
        if (!this.#active || !call?.answeredAt) return;
        const { turnedAway } = this.#active.connection;
        this.#end();
        if (turnedAway) showProblem(problems.turnedAway);
        else if (reason !== DisconnectReason.CLIENT_INITIATED)
          showProblem(problems.disconnected(reason, call.endReason));
      },
    };
  }

  #onConnection(state: 'lost' | 'restored'): void {
    const active = this.#active;
    if (!active || active.connectionLost === (state === 'lost')) return;
    active.connectionLost = state === 'lost';
    dispatch({ kind: 'connection', at: Date.now(), state });
    if (state === 'lost') {
      clearProblem('silent');
      showProblem(problems.connectionLost);
      pageState.merge({ phase: 'reconnecting' });
      void this.#endUnlessServerRuns(active);
    } else {
      clearProblem('connection');
      pageState.merge({ phase: 'connecting' });
      active.connection.emitAgentState();
      // LiveKit may have closed the room in the meantime; it then dispatches an agent to the new one.
      if (!active.connection.agentPresent) this.#endUnlessAgentReturns(active, AGENT_TIMEOUT_MS);
    }
  }

  /** The command that serves the page also runs LiveKit, unless that is deployed: without it there is no reconnect. */
  async #endUnlessServerRuns(active: ActiveCall): Promise<void> {
    if (!navigator.onLine || currentTarget().kind === 'stack') return;
    await fetchTarget().catch(() => {
      if (this.#active !== active || !active.connectionLost) return;
      void this.hangUp();
      showProblem(problems.noServer(currentTarget()));
    });
  }

  /** The agent is not in the room. It may return soon, if only the connection was lost. */
  #endUnlessAgentReturns(active: ActiveCall, timeoutMs = AGENT_GONE_MS): void {
    clearTimeout(active.agentTimer);
    if (active.connectionLost) return;
    active.agentTimer = setTimeout(() => {
      const { agentPresent, waiting } = active.connection;
      if (this.#active !== active || active.connectionLost || agentPresent || waiting) return;
      void this.hangUp();
      showProblem(problems.agentLeft(pageState.get().call?.endReason));
    }, timeoutMs);
  }

  #end(): void {
    const ended = this.#active;
    if (!ended) return;
    this.#active = undefined;
    clearTimeout(ended.agentTimer);
    ended.microphone?.close();
    ended.recorder?.stop();
    this.#otherTabs?.setInCall(false);
    dispatch({ kind: 'hung_up', at: Date.now() });
    for (const id of CALL_PROBLEMS) clearProblem(id);
    levels.set({ you: 0, agent: 0 });
    pageState.merge({
      phase: 'ended',
      inCall: false,
      microphone: false,
      muted: false,
      talking: false,
      playbackBlocked: false,
      recorded: (ended.recorder?.seconds ?? 0) > 0,
    });
  }

  /** The call could not be started. */
  #fail(active: ActiveCall, problem: Problem): void {
    if (this.#active !== active) return;
    this.#end();
    void active.connection.hangUp();
    pageState.merge({ phase: 'idle', call: undefined, recorded: false });
    showProblem(problem);
  }

  #onLevels(now: Levels): void {
    levels.set(now);
    if (pageState.get().phase !== 'listening') return;
    const problem = this.#active?.microphone?.checkLevel(now.you, Date.now());
    if (problem) showProblem(problem);
    else clearProblem('silent');
  }
}

export const callController = new CallController();

/** The phase for a state of the agent in LiveKit. */
function callPhase(agentState: string): CallPhase {
  switch (agentState) {
    case 'listening':
    case 'thinking':
    case 'speaking':
      return agentState;
    case 'idle':
      return 'listening';
    default:
      return 'connecting';
  }
}
