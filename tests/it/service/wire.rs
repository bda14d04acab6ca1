//! Callers that do not speak through a generated client: messages and frames byte by byte.

#![expect(clippy::big_endian_bytes, reason = "the network's order of bytes")]

use copytrace::service::limits;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tonic::codec::{BufferSettings, Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::Channel;
use tonic::{Code, Status};

use super::{PATIENCE, Running, SERVICE, allowing, call, config, gated, narrow, text, violation};

/// Sends bytes that a generated client would not.
#[derive(Default)]
struct RawCodec;

impl Codec for RawCodec {
    type Encode = Vec<u8>;
    type Decode = ();
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for RawCodec {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, buf: &mut EncodeBuf<'_>) -> Result<(), Status> {
        bytes_into(buf, &item);
        Ok(())
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::default()
    }
}

fn bytes_into(mut buf: impl prost::bytes::BufMut, bytes: &[u8]) {
    buf.put_slice(bytes);
}

impl Decoder for RawCodec {
    type Item = ();
    type Error = Status;

    fn decode(&mut self, _: &mut DecodeBuf<'_>) -> Result<Option<()>, Status> {
        Ok(Some(()))
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::default()
    }
}

/// Calls a method with bytes for a message, which it must refuse.
pub(super) async fn call_raw(channel: Channel, method: &str, message: Vec<u8>) -> Status {
    let mut grpc = tonic::client::Grpc::new(channel);
    grpc.ready().await.expect("the server listens");
    let path = format!("/{SERVICE}/{method}").parse().expect("a path");
    grpc.unary(tonic::Request::new(message), path, RawCodec).await.expect_err("a bad message")
}

#[tokio::test]
async fn bytes_that_are_no_message_are_the_caller_s_fault() {
    let server = Running::start(config(), allowing()).await;
    let channel = server.channel().await;
    // Field 2 (text) of two bytes that are not UTF-8; the same in an item of a batch; a length beyond the end; field number 0.
    for (method, message, field) in [
        ("Check", vec![0x12, 2, 0xC3, 0x28], "text"),
        ("CheckBatch", vec![0x0A, 4, 0x12, 2, 0xC3, 0x28], "items.text"),
        ("Check", vec![0x12, 200, b'x'], "text"),
        ("Check", vec![0x00], ""),
    ] {
        let status = call_raw(channel.clone(), method, message).await;
        assert_eq!(status.code(), Code::InvalidArgument, "{}", status.message());
        assert_eq!(violation(&status).0, field);
    }
}

/// Reads frames of HTTP/2 until one has the type `kind`, and returns its payload.
async fn read_frame(stream: &mut TcpStream, kind: u8) -> Vec<u8> {
    loop {
        let mut head = [0; 9];
        let read = tokio::time::timeout(PATIENCE, stream.read_exact(&mut head)).await;
        read.expect("a frame in time").expect("a frame");
        let mut payload =
            vec![0; usize::try_from(u32::from_be_bytes([0, head[0], head[1], head[2]])).expect("24 bits")];
        stream.read_exact(&mut payload).await.expect("a payload");
        if head[3] == kind {
            return payload;
        }
    }
}

const PREFACE_AND_SETTINGS: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

// Types and flags of frames: RFC 9113, section 6.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// Makes a frame with a short payload.
fn frame(kind: u8, flags: u8, stream_id: u32, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).expect("a short payload");
    [&[0, 0, length, kind, flags][..], &stream_id.to_be_bytes(), payload].concat()
}

/// Connects as a client that writes each frame at once.
async fn connect(server: &Running) -> TcpStream {
    let stream = TcpStream::connect(server.address).await.expect("the server listens");
    stream.set_nodelay(true).expect("a live socket");
    stream
}

#[tokio::test]
async fn the_connection_s_bounds_are_announced() {
    let server = Running::start(config(), allowing()).await;
    let mut stream = connect(&server).await;
    stream.write_all(PREFACE_AND_SETTINGS).await.expect("sent");
    let settings = read_frame(&mut stream, SETTINGS).await;
    let settings: Vec<(u16, u32)> = settings
        .chunks_exact(6)
        .map(|s| (u16::from_be_bytes([s[0], s[1]]), u32::from_be_bytes([s[2], s[3], s[4], s[5]])))
        .collect();
    // RFC 9113, section 6.5.2: concurrent streams, initial window, frame size, header list size.
    for setting in [
        (3, limits::STREAMS_MAX),
        (4, limits::STREAM_WINDOW_BYTES),
        (5, limits::FRAME_BYTES_MAX),
        (6, limits::HEADER_LIST_BYTES_MAX),
    ] {
        assert!(settings.contains(&setting), "{setting:?} in {settings:?}");
    }
}

#[tokio::test]
async fn calls_that_are_reset_as_fast_as_they_are_made_end_the_connection() {
    let server = Running::start(config(), allowing()).await;
    let mut stream = connect(&server).await;
    let mut flood = PREFACE_AND_SETTINGS.to_vec();
    for stream_id in (1..400).step_by(2) {
        // `:method POST`, `:scheme http`, `:path /`; CANCEL.
        flood.extend(frame(HEADERS, END_HEADERS, stream_id, &[0x83, 0x86, 0x84]));
        flood.extend(frame(RST_STREAM, 0, stream_id, &[0, 0, 0, 8]));
    }
    stream.write_all(&flood).await.expect("sent");
    let go_away = read_frame(&mut stream, GOAWAY).await;
    assert_eq!(go_away[4..8], [0, 0, 0, 11], "ENHANCE_YOUR_CALM");
    server.client().await.check(text("a", "x")).await.expect("other connections are served");
}

#[tokio::test]
async fn refusals_do_not_hurt_other_calls_of_the_same_connection() {
    let (checker, gate, mut arrivals) = gated();
    let server = Running::start(narrow(1), checker).await;
    let first = call(&server.client().await, text("first", "x"));
    assert_eq!(arrivals.recv().await.as_deref(), Some("first"));

    let mut stream = connect(&server).await;
    stream.write_all(PREFACE_AND_SETTINGS).await.expect("sent");
    let path = format!("/{SERVICE}/Check");
    let path_length = u8::try_from(path.len()).expect("a short path");
    // `:method POST`, `:scheme http`, `:path` as a literal.
    let headers = [&[0x83, 0x86, 0x04, path_length][..], path.as_bytes()].concat();
    for stream_id in (1..1000).step_by(2) {
        stream.write_all(&frame(HEADERS, END_HEADERS, stream_id, &headers)).await.expect("sent");
        // The refusal is here before the body leaves.
        read_frame(&mut stream, HEADERS).await;
        stream.write_all(&frame(DATA, END_STREAM, stream_id, &[0; 5])).await.expect("sent");
    }
    stream.write_all(&frame(PING, 0, 0, b"all well")).await.expect("sent");
    assert_eq!(read_frame(&mut stream, PING).await, b"all well", "the connection lives");
    gate.open();
    first.await.expect("no panic").expect("admitted");
}
