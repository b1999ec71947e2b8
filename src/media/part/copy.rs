//! Owns copying a stored part to another device: the same packs, byte for byte.

use std::sync::Arc;

use super::commit::commit;
use super::decode::FrameSource;
use super::fetch::Fetch;
use super::lane::write_error;
use super::object;
use super::restore::load_any;
use super::{Progress, Replaced, go_on};
use crate::media::keys::{KeyError, rewrap};
use crate::media::manifest::{Manifest, PackRef};
use crate::media::pack::PackLayout;
use crate::media::{Device, DeviceError, ObjectWriter, name};

/// Copies a stored part to another device: packs first, manifest last; damaged sources are
/// replaced by other holders. Returns bytes written.
///
/// # Errors
/// As [`super::restore`].
pub fn copy(
    part: &str,
    holders: &[Arc<dyn Device>],
    to: &dyn Device,
    progress: Progress<'_>,
) -> Result<(u64, Vec<Replaced>), DeviceError> {
    let (manifest, mut replaced) = load_any(part, holders)?;
    let manifest = Arc::new(manifest);
    let mut done = 0;
    let mut written = 0;
    for number in 0..manifest.packs.len() {
        let mut copier = PackCopy {
            manifest: &manifest,
            number,
            to,
            progress,
            done,
        };
        replaced.extend(copier.copy_any(holders)?);
        done = copier.done;
        written += manifest.packs[number].length;
    }
    written += commit(&manifest, to)?;
    replaced.sort_by(|a, b| (&a.device, &a.object).cmp(&(&b.device, &b.object)));
    replaced.dedup();
    Ok((written, replaced))
}

/// One pack on its way.
struct PackCopy<'a> {
    manifest: &'a Arc<Manifest>,
    number: usize,
    to: &'a dyn Device,
    progress: Progress<'a>,
    done: u64,
}

impl PackCopy<'_> {
    fn pack(&self) -> &PackRef {
        &self.manifest.packs[self.number]
    }

    /// Copies from all holders together. Damage that does not show in any frame's content shows
    /// in the hash of the whole; then each holder is tried alone.
    fn copy_any(&mut self, holders: &[Arc<dyn Device>]) -> Result<Vec<Replaced>, DeviceError> {
        let begun = self.done;
        let first = match self.stream(holders) {
            Err(error @ DeviceError::Damaged { .. }) if holders.len() > 1 => error,
            answer => return answer,
        };
        for (index, holder) in holders.iter().enumerate() {
            self.done = begun;
            match self.stream(std::slice::from_ref(holder)) {
                Ok(_) => return Ok(self.blame(holders, index, &first)),
                Err(DeviceError::Damaged { .. } | DeviceError::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Err(first)
    }

    fn blame(&self, holders: &[Arc<dyn Device>], by: usize, cause: &DeviceError) -> Vec<Replaced> {
        let damaged = holders[..by].iter().map(|holder| Replaced {
            device: holder.name().to_owned(),
            object: self.pack().name.clone(),
            cause: cause.to_string(),
            sure: cause.is_sure(),
            by: holders[by].name().to_owned(),
        });
        damaged.collect()
    }

    fn stream(&mut self, holders: &[Arc<dyn Device>]) -> Result<Vec<Replaced>, DeviceError> {
        let frames = &self.manifest.frames;
        let own = |frame: &crate::media::manifest::FrameRef| frame.pack as usize == self.number;
        let first = frames.iter().position(own).unwrap_or(0);
        let count = frames[first..]
            .iter()
            .take_while(|frame| own(frame))
            .count();
        let mut fetch = Fetch::start(self.manifest, holders, first..first + count, true)?;
        let mut layout = self.layout(first)?;
        let mut writer = self.to.create()?;
        self.write(&mut writer, layout.head())?;
        while let Some(frame) = fetch.next_frame()? {
            go_on(self.progress, self.done)?;
            let place = &frames[frame.number];
            layout.add(&frame.stored, place.plain, &place.hash);
            self.write(&mut writer, &frame.stored)?;
            self.done += frame.plain.len() as u64;
        }
        let closed = layout.close().map_err(|cause| self.key_error(cause))?;
        if name::pack(&closed.hash) != self.pack().name {
            return Err(self.wrong(holders));
        }
        self.write(&mut writer, &closed.tail)?;
        object::publish(writer.as_mut(), &self.pack().name)?;
        Ok(fetch.replaced())
    }

    /// The layout of the pack whose first frame has this number.
    fn layout(&self, first: usize) -> Result<PackLayout, DeviceError> {
        let Some(seal) = &self.manifest.seal else {
            return Ok(PackLayout::begin(u64::MAX));
        };
        let layout = PackLayout::begin_sealed(u64::MAX, seal, self.number as u64, first as u64);
        layout.map_err(|cause| self.key_error(cause))
    }

    fn key_error(&self, cause: KeyError) -> DeviceError {
        rewrap::error(self.to, &self.pack().name, cause)
    }

    fn write(&self, writer: &mut Box<dyn ObjectWriter>, bytes: &[u8]) -> Result<(), DeviceError> {
        let written = writer.write_all(bytes);
        written.map_err(|cause| write_error(self.to.name(), cause))
    }

    fn wrong(&self, holders: &[Arc<dyn Device>]) -> DeviceError {
        DeviceError::Damaged {
            device: holders
                .first()
                .map_or("(none)", |holder| holder.name())
                .to_owned(),
            object: self.pack().name.clone(),
            detail: "its bytes do not have its hash".to_owned(),
        }
    }
}
