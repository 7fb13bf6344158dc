//! Which call is done by what, and in which lane.

use super::call::Call;
use super::errors::cancelled;
use super::lanes::Lane;
use super::messages::{Ask, CancelAsk, Done, GiveWayAsk, HelloAsk, HelloReply, RunLane};
use super::{
    Engine, commit, fetch, idmap, measure, notify, relabel, release, rootfs, run, sample, sources, spawn, state, tree,
    usage, verify, volume,
};
use crate::frame::{FrameError, PROTOCOL};
use crate::unpack;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::time::Duration;

/// What a lane's thread does with the body of a call: it parses, acts and replies.
type Act = Box<dyn FnOnce(&Call, &[u8]) + Send>;

/// Answers the call in `body` at once, or hands it to its lane.
pub fn dispatch(engine: &Arc<Engine>, body: Vec<u8>) {
    let ask: Ask = match serde_json::from_slice(&body) {
        Ok(ask) => ask,
        Err(error) => return engine.outbox.log("error", format!("a frame without id and call was dropped: {error}")),
    };
    match ask.call.as_str() {
        "hello" => engine.outbox.reply(ask.id, &parse(&body).and_then(|ask| hello(&ask))),
        "cancel" => engine.outbox.reply(ask.id, &parse(&body).map(|ask| cancel(engine, &ask))),
        "giveSource" => engine.outbox.reply(ask.id, &parse(&body).map(|ask| engine.given_sources.give(ask))),
        "giveWay" => engine.outbox.reply(ask.id, &parse(&body).map(|ask| give_way(&ask))),
        name => match choose(name, &body) {
            Ok((lane, act)) => submit(engine, ask.id, lane, act, body),
            Err(error) => engine.outbox.reply::<Done>(ask.id, &Err(error)),
        },
    }
}

fn choose(name: &str, body: &[u8]) -> Result<(Lane, Act), FrameError> {
    Ok(match name {
        "spawnShim" => (Lane::Spawn, act(spawn::spawn_shim)),
        "run" => (run_lane(body)?, act(run::run)),
        "mountRootfs" => (Lane::Mounts, act(rootfs::mount_rootfs)),
        "mountImage" => (Lane::Mounts, act(volume::mount_image)),
        "findSources" => (Lane::Sources, act(sources::find_sources)),
        "readTexts" => (Lane::Sources, act(sources::read_texts)),
        "relabel" => (Lane::Sources, act(relabel::relabel)),
        "makeVolumes" => (Lane::Mounts, act(volume::make_volumes)),
        "tryIdmap" => (Lane::Mounts, act(idmap::try_idmap)),
        "prepareState" => (Lane::Mounts, act(state::prepare_state)),
        "releaseState" => (Lane::Release, act(state::release_state)),
        "releasePod" => (Lane::Release, act(release::release_pod)),
        "unpinNetns" => (Lane::Release, act(release::unpin_netns)),
        "removeCgroup" => (Lane::Release, act(release::remove_cgroup)),
        "removeTrees" => (Lane::Disk, act(tree::remove_trees)),
        "diskUsage" => (Lane::Disk, act(usage::disk_usage)),
        "notify" => (Lane::Reads, act(notify::notify)),
        "statfs" => (Lane::Reads, act(usage::statfs)),
        "measure" => (Lane::Reads, act(measure::measure)),
        "sample" => (Lane::Reads, act(sample::sample)),
        "fetchLayer" => (Lane::Fetch, act(fetch::fetch_layer)),
        "unpackLayer" => (Lane::Fetch, act(fetch::unpack_layer)),
        "verifyLayer" => (Lane::Disk, act(verify::verify_layer)),
        "packLayer" => (Lane::Disk, act(fetch::pack_layer)),
        "commitLayers" => (Lane::Commit, act(commit::commit_layers)),
        other => return Err(FrameError::new("unsupported", format!("the engine knows no call {other}"))),
    })
}

fn run_lane(body: &[u8]) -> Result<Lane, FrameError> {
    let lane = parse::<RunLane>(body)?.lane;
    Lane::of_run(&lane).ok_or_else(|| FrameError::new("invalid", format!("no program runs in a lane {lane}")))
}

fn act<A, R>(work: fn(&A, &Call) -> Result<R, FrameError>) -> Act
where
    A: DeserializeOwned + 'static,
    R: Serialize + 'static,
{
    Box::new(move |call, body| {
        let result = parse::<A>(body).and_then(|ask| work(&ask, call));
        call.engine.calls.remove(call.id);
        call.engine.outbox.reply(call.id, &result);
    })
}

fn parse<A: DeserializeOwned>(body: &[u8]) -> Result<A, FrameError> {
    serde_json::from_slice(body).map_err(|error| FrameError::new("invalid", format!("malformed call: {error}")))
}

fn submit(engine: &Arc<Engine>, id: u64, lane: Lane, act: Act, body: Vec<u8>) {
    let call = Call::new(id, Arc::clone(engine));
    if !engine.calls.add(&call) {
        let error = FrameError::new("invalid", format!("call {id} is in flight already"));
        return engine.outbox.reply::<Done>(id, &Err(error));
    }
    let job = Box::new(move || {
        if call.begin() {
            act(&call, &body);
        }
    });
    if let Err(error) = engine.lanes.submit(lane, job) {
        engine.calls.remove(id);
        engine.outbox.reply::<Done>(id, &Err(error));
    }
}

fn hello(ask: &HelloAsk) -> Result<HelloReply, FrameError> {
    if ask.protocol != PROTOCOL {
        let message =
            format!("the engine speaks protocol {PROTOCOL}, not {}; install both from one release", ask.protocol);
        return Err(FrameError::new("unsupported", message));
    }
    Ok(HelloReply { protocol: PROTOCOL, version: env!("CARGO_PKG_VERSION").to_owned(), pid: std::process::id() })
}

fn cancel(engine: &Arc<Engine>, ask: &CancelAsk) -> Done {
    if let Some(call) = engine.calls.get(ask.of)
        && call.cancel()
    {
        engine.calls.remove(call.id);
        engine.outbox.reply::<Done>(call.id, &Err(cancelled()));
    }
    Done {}
}

fn give_way(ask: &GiveWayAsk) -> Done {
    unpack::give_way(Duration::from_millis(ask.ms.into()));
    Done {}
}
