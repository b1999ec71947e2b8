//! Owns under which name the object of a pack stands on a device: the name that the manifest
//! says, or the same with a number, where a damaged object blocks the first. See
//! [`crate::media::pack`].

use std::collections::BTreeMap;

use crate::media::name::{MOST_NUMBERS, numbered};
use crate::media::{Device, DeviceError, ObjectWriter, Put, name};

/// Publishes a pack. What stands under its name with other bytes is damaged, since the name is the
/// hash of the bytes; it is left as it is (R2), and the next free number is taken.
pub(super) fn publish(writer: &mut dyn ObjectWriter, name: &str) -> Result<Put, DeviceError> {
    let mut answer = writer.publish(name);
    for number in 1..=MOST_NUMBERS {
        match answer {
            Err(DeviceError::Different { .. }) => answer = writer.publish(&numbered(name, number)),
            answer => return answer,
        }
    }
    answer
}

/// The object that holds a pack: the one with the highest number, which was written because those
/// before it were damaged; the plain name when there is no other. It may be missing or damaged.
pub(crate) fn find(device: &dyn Device, name: &str) -> Result<String, DeviceError> {
    let mut found = name.to_owned();
    for number in 1..=MOST_NUMBERS {
        let next = numbered(name, number);
        match device.size(&next) {
            Ok(_) => found = next,
            Err(DeviceError::NotFound { .. }) => break,
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// Puts a small object; where a damaged one has its name it is left as it is (R2), and the next
/// free number is taken. Gives the name under which it stands.
///
/// # Errors
/// [`DeviceError::Different`] when what stands there is not damaged.
pub(crate) fn put(
    device: &dyn Device,
    name: &str,
    bytes: &[u8],
    is_damaged: &dyn Fn(&str) -> Result<bool, DeviceError>,
) -> Result<String, DeviceError> {
    let mut object = name.to_owned();
    for number in 1..=MOST_NUMBERS {
        match device.put_if_absent(&object, bytes) {
            Err(different @ DeviceError::Different { .. }) => {
                if !is_damaged(&object)? {
                    return Err(different);
                }
            }
            answer => return answer.map(|_| object),
        }
        object = numbered(name, number);
    }
    device.put_if_absent(&object, bytes).map(|_| object)
}

/// Of a listing, the objects that count: of those with one plain name the last replacement.
pub(crate) fn newest(mut listing: Vec<(String, u64)>) -> Vec<(String, u64)> {
    // there are few replacements, and there may be millions of names
    let mut highest: BTreeMap<String, u32> = BTreeMap::new();
    for (object, _) in &listing {
        let (plain, number) = name::split(object);
        if number > 0 {
            let known = highest.entry(plain.to_owned()).or_insert(number);
            *known = number.max(*known);
        }
    }
    listing.retain(|(object, _)| {
        let (plain, number) = name::split(object);
        highest.get(plain).is_none_or(|highest| *highest == number)
    });
    listing
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::media::memory::MemoryDevice;

    fn put(device: &MemoryDevice, bytes: &[u8]) -> Put {
        let mut writer = device.create().unwrap();
        writer.write_all(bytes).unwrap();
        publish(writer.as_mut(), "packs/aa/x").unwrap()
    }

    #[test]
    fn each_damaged_object_is_left_and_the_next_number_is_taken() {
        let device = MemoryDevice::new("a");
        for (name, damage) in [("packs/aa/x", &b"y"[..]), ("packs/aa/x.1", b"z")] {
            assert_eq!(put(&device, b"x"), Put::Created);
            assert_eq!(put(&device, b"x"), Put::Same);
            assert_eq!(find(&device, "packs/aa/x").unwrap(), name);
            device.damage(name, damage.to_vec());
        }
        assert_eq!(put(&device, b"x"), Put::Created);
        assert_eq!(find(&device, "packs/aa/x").unwrap(), "packs/aa/x.2");
        assert_eq!(device.get("packs/aa/x", None).unwrap(), b"y");
        assert_eq!(device.get("packs/aa/x.1", None).unwrap(), b"z");
    }

    #[test]
    fn a_name_without_an_object_is_found_as_it_is() {
        let device = MemoryDevice::new("a");
        assert_eq!(find(&device, "packs/aa/x").unwrap(), "packs/aa/x");
    }
}
