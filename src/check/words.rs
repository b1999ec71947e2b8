//! Owns how findings name things of the resolved plan, in the words of the language.

use crate::resolve::plan::LossKind;

/// `loss of site fra`, `human error`.
pub(in crate::check) fn loss_words(loss: &LossKind) -> String {
    let of = |kind: &str, name: &Option<String>| match name {
        Some(name) => format!("loss of {kind} {name}"),
        None => format!("loss of {kind}"),
    };
    match loss {
        LossKind::Disk => "loss of disk".to_owned(),
        LossKind::Host => "loss of host".to_owned(),
        LossKind::Site(name) => of("site", name),
        LossKind::Device(name) => of("device", name),
        LossKind::HumanError => "human error".to_owned(),
        LossKind::Corruption => "corruption".to_owned(),
    }
}
