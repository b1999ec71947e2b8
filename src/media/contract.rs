//! Owns the contract of devices as a suite: every device, real or fake, passes it.

use super::{Device, DeviceError, Put};

/// Runs the suite on an empty device.
///
/// # Errors
/// The first promise that does not hold, in words.
pub fn check(device: &dyn Device) -> Result<(), String> {
    absence_is_an_answer(device)?;
    an_object_is_written_once(device)?;
    an_object_appears_when_it_is_published(device)?;
    ranges_are_exact(device)?;
    lists_are_whole(device)?;
    what_is_deleted_is_gone(device)?;
    names_stay_inside(device)
}

fn hold(promise: bool, words: &str) -> Result<(), String> {
    if promise {
        Ok(())
    } else {
        Err(words.to_owned())
    }
}

fn works<T>(answer: Result<T, DeviceError>) -> Result<T, String> {
    answer.map_err(|error| format!("unexpected: {error}"))
}

fn is_absent<T>(answer: &Result<T, DeviceError>) -> bool {
    matches!(answer, Err(DeviceError::NotFound { .. }))
}

fn absence_is_an_answer(device: &dyn Device) -> Result<(), String> {
    works(device.identity())?;
    hold(
        is_absent(&device.get("parts/none", None)),
        "a missing object is not found",
    )?;
    hold(
        is_absent(&device.size("parts/none")),
        "a missing object has no size",
    )?;
    hold(
        works(device.list(""))?.is_empty(),
        "an empty device lists nothing",
    )
}

fn an_object_is_written_once(device: &dyn Device) -> Result<(), String> {
    let first = works(device.put_if_absent("parts/once", b"first"))?;
    hold(first == Put::Created, "a new object is created")?;
    let again = works(device.put_if_absent("parts/once", b"first"))?;
    hold(again == Put::Same, "the same object is the same")?;
    for other in [&b"other"[..], b"firs", b"first!", b""] {
        let answer = device.put_if_absent("parts/once", other);
        let refused = matches!(answer, Err(DeviceError::Different { .. }));
        hold(refused, "another object under the name is refused")?;
    }
    hold(
        works(device.get("parts/once", None))? == b"first",
        "a refused put changes nothing",
    )
}

fn an_object_appears_when_it_is_published(device: &dyn Device) -> Result<(), String> {
    let mut writer = works(device.create())?;
    writer
        .write_all(b"half")
        .map_err(|cause| cause.to_string())?;
    drop(writer);
    let mut writer = works(device.create())?;
    writer
        .write_all(b"whole")
        .map_err(|cause| cause.to_string())?;
    hold(
        is_absent(&device.get("packs/aa/x", None)),
        "an unpublished object has no name",
    )?;
    let names = works(device.list(""))?;
    hold(names.len() == 1, "objects without a name are not listed")?;
    let put = works(writer.publish("packs/aa/x"))?;
    hold(put == Put::Created, "a published object is created")?;
    hold(
        works(device.get("packs/aa/x", None))? == b"whole",
        "it has its bytes",
    )?;
    let mut writer = works(device.create())?;
    writer
        .write_all(b"other")
        .map_err(|cause| cause.to_string())?;
    let refused = matches!(
        writer.publish("packs/aa/x"),
        Err(DeviceError::Different { .. })
    );
    hold(refused, "publishing never replaces")?;
    let put = works(writer.publish("packs/aa/y"))?;
    hold(
        put == Put::Created,
        "what was refused can have another name",
    )?;
    hold(
        works(device.get("packs/aa/y", None))? == b"other",
        "it has its bytes there",
    )?;
    let empty = works(works(device.create())?.publish("packs/aa/empty"))?;
    hold(empty == Put::Created, "an empty object can be published")
}

fn ranges_are_exact(device: &dyn Device) -> Result<(), String> {
    works(device.put_if_absent("parts/range", b"0123456789"))?;
    let read = |range| device.get("parts/range", Some(range));
    hold(
        works(read(0..10))? == b"0123456789",
        "the whole range is the whole",
    )?;
    hold(works(read(3..5))? == b"34", "a range is exact")?;
    hold(works(read(10..10))?.is_empty(), "an empty range is empty")?;
    for beyond in [0..11, 10..11, 11..12, 5..u64::MAX] {
        let damaged = matches!(read(beyond), Err(DeviceError::Damaged { .. }));
        hold(damaged, "a range beyond the end is damage")?;
    }
    hold(works(device.size("parts/range"))? == 10, "a size is exact")
}

fn lists_are_whole(device: &dyn Device) -> Result<(), String> {
    works(device.put_if_absent("logs/s/c/2", b"22"))?;
    works(device.put_if_absent("logs/s/c/10", b""))?;
    let names = |prefix| -> Result<Vec<String>, String> {
        Ok(works(device.list(prefix))?
            .into_iter()
            .map(|(name, _)| name)
            .collect())
    };
    hold(
        names("logs/")? == ["logs/s/c/10", "logs/s/c/2"],
        "a list is sorted by name",
    )?;
    hold(
        names("logs/s/c/2")? == ["logs/s/c/2"],
        "a prefix may end anywhere",
    )?;
    hold(
        names("log")?.len() == 2,
        "a prefix may end inside a folder's name",
    )?;
    hold(names("nothing/")?.is_empty(), "nothing begins with that")?;
    hold(
        works(device.list("logs/s/c/2"))?[0].1 == 2,
        "a list knows lengths",
    )
}

fn what_is_deleted_is_gone(device: &dyn Device) -> Result<(), String> {
    works(device.put_if_absent("tombs/x", b"first"))?;
    works(device.put_if_absent("tombs/x1", b"stays"))?;
    hold(
        works(device.delete("tombs/x"))?,
        "an object that is there is deleted",
    )?;
    hold(
        !works(device.delete("tombs/x"))?,
        "an object that is not there is not deleted",
    )?;
    hold(
        is_absent(&device.get("tombs/x", None)) && is_absent(&device.size("tombs/x")),
        "a deleted object is not found",
    )?;
    hold(
        works(device.list("tombs/"))? == [("tombs/x1".to_owned(), 5)],
        "a deleted object is not listed, others are",
    )?;
    let put = works(device.put_if_absent("tombs/x", b"second"))?;
    hold(put == Put::Created, "a deleted name is free again")?;
    hold(
        works(device.get("tombs/x", None))? == b"second",
        "it has its new bytes",
    )
}

fn names_stay_inside(device: &dyn Device) -> Result<(), String> {
    for name in [
        "../out", "/out", "a//b", "", ".", "a/..", "UPPER", "a b", "a\n",
    ] {
        let put = device.put_if_absent(name, b"x");
        hold(put.is_err(), "an unsafe name is refused")?;
    }
    Ok(())
}
