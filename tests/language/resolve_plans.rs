//! Plans and inventories resolve together: the four plans, slips by code and place, size, and
//! inventories that were damaged.

use std::collections::BTreeMap;
use std::path::Path;

use planc::diagnostic::Diagnostics;
use planc::facts::inventory;
use planc::resolve::plan::{Codec, Every, ResolvedPlan};
use planc::resolve::{self, Input};
use planc::source::{SourceMap, Span};

use super::large::large;

/// Resolves files given as path and text, the plan first; findings as code and text.
pub(super) fn compile(files: &[(&str, &str)]) -> (Vec<ResolvedPlan>, Vec<(u16, String)>) {
    let mut sources = SourceMap::new();
    let mut out = Diagnostics::new();
    let (mut imports, mut read) = (BTreeMap::new(), BTreeMap::new());
    let mut main = None;
    for (path, text) in files {
        let id = sources.add(*path, *text);
        if Path::new(path)
            .extension()
            .is_some_and(|ending| ending == "yaml")
        {
            read.insert((*path).to_owned(), inventory::read(id, text, &mut out));
        } else {
            let ast = planc::syntax::parse(id, text, &mut out);
            match main {
                None => main = Some(ast),
                Some(_) => {
                    imports.insert((*path).to_owned(), ast);
                }
            }
        }
    }
    let main = main.expect("a plan");
    let environments = resolve::inventories_of(&main).into_iter();
    let inventories = environments.filter_map(|(name, written, _)| {
        let path = resolve::relative(files[0].0, &written);
        read.get(&path).map(|inventory| (name, inventory.clone()))
    });
    let input = Input {
        main: &main,
        imports: &imports,
        inventories: &inventories.collect(),
        sources: &sources,
        environment: None,
    };
    let plans = resolve::resolve(&input, &mut out);
    let cut = |span: Span| sources.text(span).to_owned();
    let found = out.into_sorted();
    let found = found
        .iter()
        .map(|finding| (finding.code.0, cut(finding.span())));
    (plans, found.collect())
}

const NOTES: &str = include_str!("../../plans/notes.plan");
const NOTES_AT_HOME: &str = include_str!("../../plans/inventory/notes.yaml");
const ORDERS: &str = include_str!("../../plans/orders.plan");
const PROD: &str = include_str!("../../plans/inventory/prod.yaml");
const STAGING: &str = include_str!("../../plans/inventory/staging.yaml");

#[test]
fn orders_resolves_in_both_environments() {
    let (plans, found) = compile(&[
        ("plans/orders.plan", ORDERS),
        ("plans/inventory/prod.yaml", PROD),
        ("plans/inventory/staging.yaml", STAGING),
    ]);
    assert_eq!(found, []);
    let [prod, staging] = plans.as_slice() else {
        panic!("two environments");
    };
    let rpo = |plan: &ResolvedPlan| plan.objectives[0].rpos[1].0.to_string();
    assert_eq!((rpo(prod), rpo(staging)), ("10min".into(), "2h".into()));
    let interval = |plan: &ResolvedPlan| match &plan.archives[0].ships[0].schedule.every {
        Every::Interval(interval, _) => interval.to_string(),
        other => format!("{other:?}"),
    };
    assert_eq!(
        (interval(prod), interval(staging)),
        ("5min".into(), "1h".into())
    );
    let keys = |at: usize| {
        prod.backups[at]
            .targets
            .iter()
            .map(|id| prod.component_key(*id))
    };
    assert_eq!(
        keys(0).collect::<Vec<_>>(),
        [
            "orders_db/base/base",
            "orders_db/tablespace/hot",
            "orders_db/tablespace/history"
        ]
    );
    assert_eq!(prod.backups[0].keeping.codec, Codec::Zstd(3));
    assert_eq!(prod.state_dir, "plans/.planc");
    assert_ne!(prod.hash, staging.hash);
}

#[test]
fn the_other_plans_resolve_without_a_finding() {
    let (plans, found) = compile(&[
        ("plans/notes.plan", NOTES),
        ("plans/inventory/notes.yaml", NOTES_AT_HOME),
    ]);
    assert_eq!(found, []);
    assert_eq!(
        plans[0].services[0].path.as_deref(),
        Some("plans/data/notes.db")
    );
    assert_eq!(
        plans[0].devices[0].path.as_deref(),
        Some("plans/backup/disk")
    );
    let (_, found) = compile(&[
        ("plans/shop.plan", include_str!("../../plans/shop.plan")),
        (
            "plans/inventory/shop.yaml",
            include_str!("../../plans/inventory/shop.yaml"),
        ),
    ]);
    assert_eq!(found, []);
    let (plans, found) = compile(&[
        ("plans/fleet.plan", include_str!("../../plans/fleet.plan")),
        (
            "plans/lib/devices.plan",
            include_str!("../../plans/lib/devices.plan"),
        ),
        (
            "plans/inventory/fleet.yaml",
            include_str!("../../plans/inventory/fleet.yaml"),
        ),
    ]);
    assert_eq!(found, []);
    // 900 tenants and `payments`, which its own `apply` takes out of the loop
    assert_eq!(plans[0].backups.len(), 901);
    let payments = plans[0].archives.iter();
    let mut payments = payments.filter(|job| job.origin.instance.as_deref() == Some("payments"));
    let archive = payments.next().expect("applied");
    assert!(payments.next().is_none());
    assert!(matches!(&archive.ships[0].schedule.every,
        Every::Interval(interval, _) if interval.to_string() == "1min"));
}

/// Replaces one line's text in the plan `notes` and gives the findings.
fn slip(from: &str, to: &str) -> Vec<(u16, String)> {
    assert!(NOTES.contains(from), "{from}");
    let text = NOTES.replacen(from, to, 1);
    compile(&[
        ("plans/notes.plan", &text),
        ("plans/inventory/notes.yaml", NOTES_AT_HOME),
    ])
    .1
}

#[test]
fn one_slip_is_one_finding_at_its_place() {
    assert_eq!(
        slip("store on disk", "store on dsik"),
        [(201, "dsik".into())]
    );
    assert_eq!(
        slip("of service notes", "of service note"),
        [(201, "note".into())]
    );
    assert_eq!(
        slip("timezone UTC", "timezone UCT2"),
        [(309, "UCT2".into())]
    );
    assert_eq!(slip("within 1h", "within 1 GiB"), [(305, "1 GiB".into())]);
    assert_eq!(slip("within 1h", "within 1mo"), [(306, "1mo".into())]);
    assert_eq!(slip("daily 7", "daily 0"), [(307, "0".into())]);
    assert_eq!(slip("daily 7", "window $kept"), [(209, "$kept".into())]);
    assert_eq!(slip("at 03:30", "at 03:70"), [(304, "03:70".into())]);
}

#[test]
fn a_missing_inventory_raises_nothing_more() {
    let (plans, found) = compile(&[("plans/notes.plan", NOTES)]);
    assert_eq!(found, []);
    assert!(plans[0].backups[0].keeping.incomplete);
}

#[test]
fn a_large_plan_resolves_whole() {
    let (plan, inventory) = large(2000);
    let (plans, found) = compile(&[("large.plan", &plan), ("inventory.yaml", &inventory)]);
    assert_eq!(found, []);
    assert_eq!(plans[0].components.len(), 2000);
    assert_eq!(plans[0].backups.len(), 200);
    assert!(
        plans[0]
            .backups
            .iter()
            .all(|backup| backup.targets.len() == 10)
    );
    assert_eq!(plans[0].archives.len(), 200);
}

#[test]
fn one_clause_wrong_for_all_instances_is_one_finding() {
    let (plan, inventory) = large(1000);
    let plan = plan.replace("store on near", "store on naer");
    let (_, found) = compile(&[("large.plan", &plan), ("inventory.yaml", &inventory)]);
    assert_eq!(found, [(201, "naer".into())]);
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(200))]

    /// Whatever stands in the inventory, there are findings or a plan, never a panic.
    #[test]
    fn damaged_inventories_do_no_harm(
        at in 0usize..PROD.len(),
        length in 0usize..40,
        put in "[ -~\n\u{e9}]{0,6}",
    ) {
        let from = PROD.floor_char_boundary(at);
        let to = PROD.floor_char_boundary((at + length).min(PROD.len()));
        let text = format!("{}{put}{}", &PROD[..from], &PROD[to..]);
        let files = [
            ("plans/orders.plan", ORDERS),
            ("plans/inventory/prod.yaml", text.as_str()),
            ("plans/inventory/staging.yaml", STAGING),
        ];
        proptest::prop_assert_eq!(compile(&files).0.len(), 2);
    }
}
