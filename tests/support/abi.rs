//! The proxy-wasm functions that a host offers (ABI 0.2.1), acting on this thread's world.
//!
//! Statuses are those of Envoy: a header map that has gone on is `BadArgument` to write and empty to
//! list, a body that is not at hand is `BadArgument` to write and empty to read.

use super::world::{Call, LocalReply, Status, world, write_buffer};
use std::slice;

const PLUGIN_CONFIGURATION: u32 = 7;
const CALL_RESPONSE_BODY: u32 = 4;
const CALL_RESPONSE_HEADERS: u32 = 6;

unsafe extern "C" {
    fn proxy_on_memory_allocate(size: usize) -> *mut u8;
}

unsafe fn bytes<'a>(at: *const u8, size: usize) -> &'a [u8] {
    if size == 0 { &[] } else { unsafe { slice::from_raw_parts(at, size) } }
}

unsafe fn text(at: *const u8, size: usize) -> String {
    String::from_utf8(unsafe { bytes(at, size) }.to_vec()).expect("a name that is not UTF-8")
}

/// Hands bytes over, in memory that the VM allocates.
unsafe fn give(value: &[u8], at: *mut *mut u8, size: *mut usize) -> Status {
    unsafe {
        *size = value.len();
        *at = std::ptr::null_mut();
        if !value.is_empty() {
            *at = proxy_on_memory_allocate(value.len());
            (*at).copy_from_nonoverlapping(value.as_ptr(), value.len());
        }
    }
    Status::Ok
}

fn read_pairs(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    let count = if bytes.is_empty() { 0 } else { number(0) };
    let mut at = 4 + 8 * count;
    let mut part = |length: usize| {
        let part = bytes[at..at + length].to_vec();
        assert_eq!(bytes[at + length], 0, "a pair's parts end in NUL");
        at += length + 1;
        part
    };
    let mut pair = |index: usize| {
        let name = String::from_utf8(part(number(4 + 8 * index))).unwrap();
        (name.to_ascii_lowercase(), part(number(8 + 8 * index)))
    };
    (0..count).map(&mut pair).collect()
}

fn write_pairs(pairs: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut out = (pairs.len() as u32).to_le_bytes().to_vec();
    for (name, value) in pairs {
        out.extend((name.len() as u32).to_le_bytes());
        out.extend((value.len() as u32).to_le_bytes());
    }
    for (name, value) in pairs {
        for part in [name.as_bytes(), value] {
            out.extend_from_slice(part);
            out.push(0);
        }
    }
    out
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_define_metric(
    kind: u32,
    name: *const u8,
    size: usize,
    metric: *mut u32,
) -> Status {
    let name = unsafe { text(name, size) };
    unsafe { *metric = world(|world| world.metrics.define(kind, name)) };
    Status::Ok
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_increment_metric(metric: u32, by: i64) -> Status {
    world(|world| world.metrics.increment(metric, by))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_record_metric(metric: u32, value: u64) -> Status {
    world(|world| world.metrics.record(metric, value))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_log(level: u32, message: *const u8, size: usize) -> Status {
    let line = String::from_utf8_lossy(unsafe { bytes(message, size) }).into_owned();
    world(|world| world.log.push((level, line)));
    Status::Ok
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_get_current_time_nanoseconds(time: *mut u64) -> Status {
    unsafe { *time = world(|world| world.now) };
    Status::Ok
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_set_effective_context(context: u32) -> Status {
    world(|world| _ = world.enter(context));
    Status::Ok
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_get_header_map_value(
    map: u32,
    key: *const u8,
    key_size: usize,
    data: *mut *mut u8,
    size: *mut usize,
) -> Status {
    let key = unsafe { text(key, key_size) };
    world(|world| {
        let here = world.here();
        let found = match map {
            CALL_RESPONSE_HEADERS => here.answer.as_ref().map(|(headers, _)| headers),
            map => here.maps[map as usize].as_ref(),
        };
        let Some(map) = found else { return Status::BadArgument };
        match map.iter().find(|(name, _)| *name == key) {
            Some((_, value)) => unsafe { give(value, data, size) },
            None => Status::NotFound,
        }
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_get_header_map_pairs(map: u32, data: *mut *mut u8, size: *mut usize) -> Status {
    let pairs = world(|world| write_pairs(world.here().maps[map as usize].as_deref().unwrap_or_default()));
    unsafe { give(&pairs, data, size) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_set_header_map_pairs(map: u32, data: *const u8, size: usize) -> Status {
    let pairs = read_pairs(unsafe { bytes(data, size) });
    change(map, |map| *map = pairs)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_replace_header_map_value(
    map: u32,
    key: *const u8,
    key_size: usize,
    value: *const u8,
    value_size: usize,
) -> Status {
    let (key, value) = unsafe { (text(key, key_size), bytes(value, value_size).to_vec()) };
    change(map, |map| {
        map.retain(|(name, _)| *name != key);
        map.push((key, value));
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_add_header_map_value(
    map: u32,
    key: *const u8,
    key_size: usize,
    value: *const u8,
    value_size: usize,
) -> Status {
    let (key, value) = unsafe { (text(key, key_size), bytes(value, value_size).to_vec()) };
    change(map, |map| map.push((key, value)))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_remove_header_map_value(map: u32, key: *const u8, size: usize) -> Status {
    let key = unsafe { text(key, size) };
    change(map, |map| map.retain(|(name, _)| *name != key))
}

fn change(map: u32, change: impl FnOnce(&mut Vec<(String, Vec<u8>)>)) -> Status {
    world(|world| match &mut world.here().maps[map as usize] {
        Some(map) => {
            change(map);
            Status::Ok
        }
        None => Status::BadArgument,
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_get_buffer_bytes(
    buffer: u32,
    start: usize,
    most: usize,
    data: *mut *mut u8,
    size: *mut usize,
) -> Status {
    world(|world| {
        let here = world.here();
        let buffer = match buffer {
            PLUGIN_CONFIGURATION if here.configuration.is_none() => return Status::NotFound,
            PLUGIN_CONFIGURATION => here.configuration.as_ref(),
            CALL_RESPONSE_BODY => here.answer.as_ref().map(|(_, body)| body),
            body => here.bodies[body as usize].as_ref(),
        };
        let buffer = buffer.map(Vec::as_slice).unwrap_or_default();
        let end = buffer.len().min(start.saturating_add(most));
        // Envoy leaves the pointers alone if there is nothing to hand over.
        if start < end { unsafe { give(&buffer[start..end], data, size) } } else { Status::Ok }
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_set_buffer_bytes(
    buffer: u32,
    start: usize,
    length: usize,
    data: *const u8,
    size: usize,
) -> Status {
    let data = unsafe { bytes(data, size) };
    world(|world| write_buffer(world.here().bodies[buffer as usize].as_mut(), start, length, data))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_get_property(
    path: *const u8,
    path_size: usize,
    data: *mut *mut u8,
    size: *mut usize,
) -> Status {
    let path = unsafe { text(path, path_size) };
    world(|world| {
        let here = world.here();
        let value = match path.as_str() {
            "plugin_root_id" => Some(here.root_id.clone().into_bytes()),
            path => here.properties.get(path).cloned(),
        };
        // What has members is a map, and a map of protobuf's has no form in which it could be handed over.
        let within = format!("{path}\0");
        match value.or_else(|| here.filter_state.borrow().get(&path).cloned()) {
            Some(value) => unsafe { give(&value, data, size) },
            None if here.properties.keys().any(|other| other.starts_with(&within)) => {
                Status::SerializationFailure
            }
            None => Status::NotFound,
        }
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_set_property(
    path: *const u8,
    path_size: usize,
    value: *const u8,
    value_size: usize,
) -> Status {
    let (path, value) = unsafe { (text(path, path_size), bytes(value, value_size).to_vec()) };
    world(|world| world.here().filter_state.borrow_mut().insert(path, value));
    Status::Ok
}

#[unsafe(no_mangle)]
#[allow(clippy::too_many_arguments)]
unsafe extern "C" fn proxy_send_local_response(
    status: u32,
    details: *const u8,
    details_size: usize,
    body: *const u8,
    body_size: usize,
    headers: *const u8,
    headers_size: usize,
    _grpc_status: i32,
) -> Status {
    let reply = unsafe {
        LocalReply {
            status: u16::try_from(status).expect("an HTTP status"),
            headers: read_pairs(bytes(headers, headers_size)),
            body: bytes(body, body_size).to_vec(),
            details: text(details, details_size),
        }
    };
    world(|world| world.here().reply = Some(reply));
    Status::Ok
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_get_shared_data(
    key: *const u8,
    key_size: usize,
    data: *mut *mut u8,
    size: *mut usize,
    cas: *mut u32,
) -> Status {
    let key = unsafe { text(key, key_size) };
    world(|world| {
        world.touched.push(format!("read {key}"));
        match world.shared(&key) {
            Some((value, version)) => unsafe {
                *cas = version;
                give(value, data, size)
            },
            None => Status::NotFound,
        }
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_set_shared_data(
    key: *const u8,
    key_size: usize,
    value: *const u8,
    value_size: usize,
    cas: u32,
) -> Status {
    let (key, value) = unsafe { (text(key, key_size), bytes(value, value_size)) };
    world(|world| {
        world.touched.push(format!("write {key}"));
        world.share(&key, value, cas)
    })
}

/// Acts when the callback is over, as in Envoy.
#[unsafe(no_mangle)]
extern "C" fn proxy_continue_stream(_: u32) -> Status {
    world(|world| world.here().goes_on = true);
    Status::Ok
}

#[unsafe(no_mangle)]
#[allow(clippy::too_many_arguments)]
unsafe extern "C" fn proxy_http_call(
    cluster: *const u8,
    cluster_size: usize,
    headers: *const u8,
    headers_size: usize,
    body: *const u8,
    body_size: usize,
    _trailers: *const u8,
    _trailers_size: usize,
    timeout_ms: u32,
    token: *mut u32,
) -> Status {
    let call = unsafe {
        Call {
            token: 0,
            context: 0,
            cluster: text(cluster, cluster_size),
            headers: read_pairs(bytes(headers, headers_size)),
            body: bytes(body, body_size).to_vec(),
            timeout_ms,
        }
    };
    if call.cluster == "nowhere" {
        return Status::BadArgument;
    }
    world(|world| unsafe { *token = world.call(call) });
    Status::Ok
}

/// No tick comes by itself.
#[unsafe(no_mangle)]
extern "C" fn proxy_set_tick_period_milliseconds(_: u32) -> Status {
    Status::Ok
}
