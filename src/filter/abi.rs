//! The proxy-wasm host calls this filter makes, bytes in, `Result` out: every status that a client or a network can cause is
//! a value. What the host calls is in `exports`. Specification: proxy-wasm ABI 0.2.1.
#![allow(unsafe_code)]

use std::alloc::{Layout, alloc};
use std::ptr::null_mut;

/// What the host does with what it has told of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u32)]
pub enum Action {
    /// It goes on.
    Continue = 0,
    /// It is held.
    Pause = 1,
}

/// The host said no; the number is its `WasmResult`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Refused(pub u32);

/// A buffer of the stream, of the plugin or of a call.
#[derive(Clone, Copy, Debug)]
#[repr(u32)]
pub enum Buffer {
    RequestBody = 0,
    ResponseBody = 1,
    CallResponseBody = 4,
    PluginConfiguration = 7,
}

/// A header map of the stream.
#[derive(Clone, Copy, Debug)]
#[repr(u32)]
pub enum Map {
    RequestHeaders = 0,
    RequestTrailers = 1,
    ResponseHeaders = 2,
    ResponseTrailers = 3,
    CallResponseHeaders = 6,
}

/// As many bytes as there are.
pub const ALL: usize = usize::MAX >> 1;

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_get_current_time_nanoseconds(time: *mut u64) -> u32;
    fn proxy_get_buffer_bytes(
        buffer: u32,
        start: usize,
        most: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_set_buffer_bytes(
        buffer: u32,
        start: usize,
        size: usize,
        data: *const u8,
        data_size: usize,
    ) -> u32;
    fn proxy_get_header_map_pairs(map: u32, data: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_set_header_map_pairs(map: u32, data: *const u8, size: usize) -> u32;
    fn proxy_get_header_map_value(
        map: u32,
        key: *const u8,
        key_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_replace_header_map_value(
        map: u32,
        key: *const u8,
        key_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_remove_header_map_value(map: u32, key: *const u8, key_size: usize) -> u32;
    fn proxy_get_property(path: *const u8, path_size: usize, data: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_set_property(path: *const u8, path_size: usize, value: *const u8, value_size: usize) -> u32;
    fn proxy_get_shared_data(
        key: *const u8,
        key_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
        version: *mut u32,
    ) -> u32;
    fn proxy_set_shared_data(
        key: *const u8,
        key_size: usize,
        value: *const u8,
        value_size: usize,
        version: u32,
    ) -> u32;
    fn proxy_define_metric(kind: u32, name: *const u8, size: usize, metric: *mut u32) -> u32;
    fn proxy_increment_metric(metric: u32, by: i64) -> u32;
    fn proxy_record_metric(metric: u32, value: u64) -> u32;
    fn proxy_log(level: u32, message: *const u8, size: usize) -> u32;
    fn proxy_http_call(
        cluster: *const u8,
        cluster_size: usize,
        headers: *const u8,
        headers_size: usize,
        body: *const u8,
        body_size: usize,
        trailers: *const u8,
        trailers_size: usize,
        timeout_ms: u32,
        token: *mut u32,
    ) -> u32;
    fn proxy_set_effective_context(context: u32) -> u32;
    fn proxy_continue_stream(stream: u32) -> u32;
    fn proxy_set_tick_period_milliseconds(period: u32) -> u32;
    fn proxy_send_local_response(
        status: u32,
        details: *const u8,
        details_size: usize,
        body: *const u8,
        body_size: usize,
        headers: *const u8,
        headers_size: usize,
        grpc_status: i32,
    ) -> u32;
}

/// Nanoseconds since the Unix epoch.
#[must_use]
pub fn now() -> u64 {
    let mut time = 0;
    // SAFETY: the host writes one u64.
    unsafe { proxy_get_current_time_nanoseconds(&raw mut time) };
    time
}

/// The bytes of a buffer from `start`, at most `most`.
pub fn buffer(buffer: Buffer, start: usize, most: usize) -> Result<Vec<u8>, Refused> {
    // SAFETY: see `received`.
    received(|data, size| unsafe { proxy_get_buffer_bytes(buffer as u32, start, most, data, size) })
}

/// Replaces the whole of a buffer.
pub fn replace_buffer(buffer: Buffer, bytes: &[u8]) -> Result<(), Refused> {
    // SAFETY: pointer and length are of one live slice.
    done(unsafe { proxy_set_buffer_bytes(buffer as u32, 0, ALL, bytes.as_ptr(), bytes.len()) })
}

/// One header's value.
pub fn header(map: Map, name: &str) -> Result<Vec<u8>, Refused> {
    // SAFETY: see `received`.
    received(|data, size| unsafe {
        proxy_get_header_map_value(map as u32, name.as_ptr(), name.len(), data, size)
    })
}

/// All headers of a map.
pub fn headers(map: Map) -> Result<Headers, Refused> {
    // SAFETY: see `received`.
    received(|data, size| unsafe { proxy_get_header_map_pairs(map as u32, data, size) }).map(Headers)
}

/// Puts these headers in the place of all there are.
pub fn replace_headers<N: AsRef<str>, V: AsRef<[u8]>>(map: Map, pairs: &[(N, V)]) -> Result<(), Refused> {
    let bytes = write_pairs(pairs);
    // SAFETY: pointer and length are of one live slice.
    done(unsafe { proxy_set_header_map_pairs(map as u32, bytes.as_ptr(), bytes.len()) })
}

/// Empties a map of trailers: what others put there is not for whoever comes next.
pub fn drop_trailers(map: Map) -> Result<(), Refused> {
    replace_headers::<&str, &[u8]>(map, &[])
}

/// Sets one header.
pub fn set_header(map: Map, name: &str, value: &[u8]) -> Result<(), Refused> {
    // SAFETY: pointers and lengths are of live slices.
    done(unsafe {
        proxy_replace_header_map_value(map as u32, name.as_ptr(), name.len(), value.as_ptr(), value.len())
    })
}

/// Removes one header; no error if it is not there.
pub fn remove_header(map: Map, name: &str) -> Result<(), Refused> {
    // SAFETY: pointer and length are of one live slice.
    done(unsafe { proxy_remove_header_map_value(map as u32, name.as_ptr(), name.len()) })
}

/// A property of the stream; `path` is its parts, each ended by a NUL but the last.
pub fn property(path: &str) -> Result<Vec<u8>, Refused> {
    // SAFETY: see `received`.
    received(|data, size| unsafe { proxy_get_property(path.as_ptr(), path.len(), data, size) })
}

/// Sets a property: filter state under `wasm.<path>`.
pub fn set_property(path: &str, value: &[u8]) -> Result<(), Refused> {
    // SAFETY: pointers and lengths are of live slices.
    done(unsafe { proxy_set_property(path.as_ptr(), path.len(), value.as_ptr(), value.len()) })
}

/// The number of a metric of this name, which all workers share; `kind` is 0 for a counter, 1 for a gauge, 2 for a histogram.
pub fn define_metric(kind: u32, name: &str) -> Result<u32, Refused> {
    let mut metric = 0;
    // SAFETY: pointer and length are of one live slice; the host writes one u32.
    done(unsafe { proxy_define_metric(kind, name.as_ptr(), name.len(), &raw mut metric) })?;
    Ok(metric)
}

/// Adds to a counter; at least 1.
pub fn increment_metric(metric: u32, by: u64) -> Result<(), Refused> {
    // SAFETY: no memory is handed over.
    done(unsafe { proxy_increment_metric(metric, i64::try_from(by).unwrap_or(i64::MAX)) })
}

/// Sets a gauge, or adds to a histogram.
pub fn record_metric(metric: u32, value: u64) -> Result<(), Refused> {
    // SAFETY: no memory is handed over.
    done(unsafe { proxy_record_metric(metric, value) })
}

/// A value that all workers share, and its version.
pub fn shared(key: &str) -> Result<(Vec<u8>, u32), Refused> {
    let mut version = 0;
    // SAFETY: see `received`; the host writes one u32.
    let value = received(|data, size| unsafe {
        proxy_get_shared_data(key.as_ptr(), key.len(), data, size, &raw mut version)
    })?;
    Ok((value, version))
}

/// Shares a value, if its version is still that one, or if there is none yet.
pub fn share(key: &str, value: &[u8], version: u32) -> Result<(), Refused> {
    // SAFETY: pointers and lengths are of live slices.
    done(unsafe { proxy_set_shared_data(key.as_ptr(), key.len(), value.as_ptr(), value.len(), version) })
}

/// Asks a cluster; the answer comes under the number that is given back. An answer that cannot be had comes as one of Envoy's
/// own, or without headers.
pub fn call(cluster: &str, headers: &[(&str, &str)], body: &[u8], timeout_ms: u32) -> Result<u32, Refused> {
    let (headers, trailers) = (write_pairs(headers), write_pairs::<&str, &str>(&[]));
    let mut token = 0;
    // SAFETY: pointers and lengths are of live slices; the host writes one u32.
    done(unsafe {
        proxy_http_call(
            cluster.as_ptr(),
            cluster.len(),
            headers.as_ptr(),
            headers.len(),
            body.as_ptr(),
            body.len(),
            trailers.as_ptr(),
            trailers.len(),
            timeout_ms,
            &raw mut token,
        )
    })?;
    Ok(token)
}

/// Writes a line into Envoy's log. There is nowhere to say that it could not be written.
pub fn log(level: log::Level, line: &str) {
    let level = match level {
        log::Level::Trace => 0,
        log::Level::Debug => 1,
        log::Level::Info => 2,
        log::Level::Warn => 3,
        log::Level::Error => 4,
    };
    // SAFETY: pointer and length are of one live text.
    _ = unsafe { proxy_log(level, line.as_ptr(), line.len()) };
}

/// Does what follows for this context, until it is another one's turn.
pub fn act_for(context: u32) -> Result<(), Refused> {
    // SAFETY: takes a number only.
    done(unsafe { proxy_set_effective_context(context) })
}

/// Lets a request go that was paused. Its headers are out of reach from here on.
pub fn continue_request() -> Result<(), Refused> {
    const REQUEST: u32 = 0;
    // SAFETY: takes a number only.
    done(unsafe { proxy_continue_stream(REQUEST) })
}

/// Lets a response go that was paused.
pub fn continue_response() -> Result<(), Refused> {
    const RESPONSE: u32 = 1;
    // SAFETY: takes a number only.
    done(unsafe { proxy_continue_stream(RESPONSE) })
}

/// Asks for a tick every so many milliseconds.
pub fn tick_every(milliseconds: u32) -> Result<(), Refused> {
    // SAFETY: takes a number only.
    done(unsafe { proxy_set_tick_period_milliseconds(milliseconds) })
}

/// Answers from here.
pub fn reply<N: AsRef<str>, V: AsRef<[u8]>>(
    status: u16,
    headers: &[(N, V)],
    body: &[u8],
) -> Result<(), Refused> {
    const NO_GRPC_STATUS: i32 = -1;
    let pairs = write_pairs(headers);
    let details = "modelgate";
    // SAFETY: pointers and lengths are of live slices.
    done(unsafe {
        proxy_send_local_response(
            u32::from(status),
            details.as_ptr(),
            details.len(),
            body.as_ptr(),
            body.len(),
            pairs.as_ptr(),
            pairs.len(),
            NO_GRPC_STATUS,
        )
    })
}

fn done(status: u32) -> Result<(), Refused> {
    if status == 0 { Ok(()) } else { Err(Refused(status)) }
}

/// Memory for what the host hands over, to be taken back by [`received`]; none if there is none left.
pub(super) fn lend(size: usize) -> *mut u8 {
    match Layout::array::<u8>(size) {
        // SAFETY: it is not empty.
        Ok(layout) if size > 0 => unsafe { alloc(layout) },
        _ => null_mut(),
    }
}

/// Makes a call that hands over memory, of exactly the size that was lent.
fn received(call: impl FnOnce(*mut *mut u8, *mut usize) -> u32) -> Result<Vec<u8>, Refused> {
    let mut data: *mut u8 = null_mut();
    let mut size = 0_usize;
    done(call(&raw mut data, &raw mut size))?;
    if data.is_null() {
        return Ok(Vec::new());
    }
    // SAFETY: an allocation of `size` bytes by `lend`, that nobody else owns.
    Ok(unsafe { Vec::from_raw_parts(data, size, size) })
}

/// The ABI's form of a list of pairs: their number, the two lengths of each, then each name and
/// value ended by a NUL; numbers are 32 bits, little-endian.
fn write_pairs<N: AsRef<str>, V: AsRef<[u8]>>(pairs: &[(N, V)]) -> Vec<u8> {
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(0).to_le_bytes();
    let mut out = Vec::with_capacity(512);
    out.extend(u32::try_from(pairs.len()).unwrap_or(0).to_le_bytes());
    for (name, value) in pairs {
        out.extend(length(name.as_ref().as_bytes()));
        out.extend(length(value.as_ref()));
    }
    for (name, value) in pairs {
        for part in [name.as_ref().as_bytes(), value.as_ref()] {
            out.extend_from_slice(part);
            out.push(0);
        }
    }
    out
}

/// Headers as the host gave them, in the ABI's form.
#[derive(Default)]
pub struct Headers(Vec<u8>);

impl Headers {
    /// Names, which are lower case, and values.
    pub fn pairs(&self) -> Vec<(&str, &[u8])> {
        read_pairs(&self.0).unwrap_or_default()
    }
}

fn read_pairs(bytes: &[u8]) -> Option<Vec<(&str, &[u8])>> {
    fn number(bytes: &[u8]) -> Option<(usize, &[u8])> {
        let (number, rest) = bytes.split_at_checked(4)?;
        Some((u32::from_le_bytes(number.try_into().ok()?) as usize, rest))
    }
    let (count, mut lengths) = number(bytes)?;
    let mut data = lengths.get(count.checked_mul(8)?..)?;
    let mut part = || {
        let (length, rest) = number(lengths)?;
        lengths = rest;
        let (part, rest) = data.split_at_checked(length)?;
        data = rest.get(1..).unwrap_or_default();
        Some(part)
    };
    let mut pairs = Vec::with_capacity(count);
    for _ in 0..count {
        // A name that is no text is nobody's.
        pairs.push((std::str::from_utf8(part()?).unwrap_or_default(), part()?));
    }
    Some(pairs)
}
