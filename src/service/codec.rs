//! Messages to bytes and back: prost's codec, except that bytes which are no message are the caller's fault.
//!
//! tonic-prost answers INTERNAL to them, which pages the operator of the wrong side and makes pipelines retry. prost's message names the
//! field (`CheckRequest.text: invalid string value: data is not UTF-8 encoded`) and never its content.

use std::fmt;
use std::marker::PhantomData;

use prost::Message;
use tonic::Status;
use tonic::codec::{BufferSettings, Codec, DecodeBuf, Decoder};
use tonic_prost::ProstEncoder;

use super::status;

/// Encodes `E`, decodes `D`.
pub(crate) struct WireCodec<E, D> {
    messages: PhantomData<(E, D)>,
}

/// Decodes `D`.
pub(crate) struct WireDecoder<D> {
    message: PhantomData<D>,
}

impl<E, D> Default for WireCodec<E, D> {
    fn default() -> Self {
        Self { messages: PhantomData }
    }
}

impl<E, D> fmt::Debug for WireCodec<E, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WireCodec")
    }
}

impl<D> fmt::Debug for WireDecoder<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WireDecoder")
    }
}

impl<E, D> Codec for WireCodec<E, D>
where
    E: Message + Send + 'static,
    D: Message + Default + Send + 'static,
{
    type Encode = E;
    type Decode = D;
    type Encoder = ProstEncoder<E>;
    type Decoder = WireDecoder<D>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstEncoder::new(BufferSettings::default())
    }

    fn decoder(&mut self) -> Self::Decoder {
        WireDecoder { message: PhantomData }
    }
}

impl<D: Message + Default> Decoder for WireDecoder<D> {
    type Item = D;
    type Error = Status;

    fn decode(&mut self, bytes: &mut DecodeBuf<'_>) -> Result<Option<D>, Status> {
        D::decode(bytes).map(Some).map_err(|error| status::undecodable(&error))
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::default()
    }
}
