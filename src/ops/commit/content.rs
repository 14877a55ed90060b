//! Contents that do not come from files: cut and stored one after the other.

use std::io::{self, Read};

use crate::chonkers::ChonkerTreeBuilder;
use crate::format::node::ContentRoot;
use crate::id::ObjectKind;
use crate::repo::{Chunker, Repository};

use super::super::{OpsError, convert};
use super::big::Piece;
use super::former::Former;
use super::sink::{BlockWriter, NodeWriter, ObjectSink};
use super::worker;

/// Bytes that are read at once.
const READ_LEN: usize = 512 << 10;

/// Stores contents of files, as a commit does.
pub(in crate::ops) struct ContentStore<'s, 'a> {
    sink: &'s ObjectSink<'a>,
    chunker: Chunker,
    tree_key: [u8; 32],
    writer: BlockWriter,
    buffer: Vec<u8>,
}

impl<'s, 'a> ContentStore<'s, 'a> {
    /// Cuts as `repo` does.
    pub(in crate::ops) fn new(repo: &Repository, sink: &'s ObjectSink<'a>) -> Result<Self, OpsError> {
        Ok(Self {
            sink,
            chunker: repo.chunker()?,
            tree_key: worker::tree_key(repo.chunks().vault().keyring()),
            writer: sink.writer().map_err(OpsError::cas("set up compression"))?,
            buffer: vec![0; READ_LEN],
        })
    }

    /// Stores a content, which took the place of `former`.
    pub(in crate::ops) fn store(
        &mut self,
        content: &mut dyn Read,
        former: Option<ContentRoot>,
    ) -> Result<ContentRoot, OpsError> {
        let storing = OpsError::cas("store a chunk");
        let former = Former::new(ObjectKind::Chunk, former);
        let mut nodes = NodeWriter { sink: self.sink, kind: ObjectKind::FileNode, former: &former };
        let mut builder = ChonkerTreeBuilder::new(self.chunker.max_len(), &self.tree_key);
        let (mut stream, mut piece) = (self.chunker.stream(), Piece::default());
        let mut keep = |piece: Piece, writer: &mut BlockWriter| -> Result<(), OpsError> {
            for child in piece.put(self.sink, writer, &former)? {
                builder.push(child, &mut nodes).map_err(&storing)?;
            }
            Ok(())
        };
        loop {
            let len = read(content, &mut self.buffer)?;
            if len == 0 {
                break;
            }
            stream.push(&self.buffer[..len], &mut |data| piece.push(&data.chunk, data.bytes));
            if piece.is_full() {
                keep(std::mem::take(&mut piece), &mut self.writer)?;
            }
        }
        stream.finish(&mut |data| piece.push(&data.chunk, data.bytes));
        keep(piece, &mut self.writer)?;
        Ok(convert::content_root(builder.finish(&mut nodes).map_err(&storing)?))
    }

    /// Hands on what was collected.
    pub(in crate::ops) fn finish(mut self) -> Result<(), OpsError> {
        self.sink.flush(&mut self.writer).map_err(OpsError::cas("store a block"))
    }
}

/// Reads some bytes; 0: there are no more.
fn read(content: &mut dyn Read, buffer: &mut [u8]) -> Result<usize, OpsError> {
    loop {
        match content.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(source) => {
                return Err(OpsError::Stream { name: "a file of a commit".to_owned(), source });
            }
            Ok(len) => return Ok(len),
        }
    }
}
