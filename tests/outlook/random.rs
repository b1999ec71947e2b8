//! Random plans: services, devices, schedules and promises that follow from a seed. Promises are
//! loose, so that every bound that can be shown is shown.

use std::fmt::Write as _;

/// A stream of numbers (xorshift) that follows from a seed.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % most
    }

    fn one_of<'t>(&mut self, words: &[&'t str]) -> &'t str {
        let at = self.below(words.len() as u64);
        words[usize::try_from(at).expect("small")]
    }

    fn likely(&mut self, of_ten: u64) -> bool {
        self.below(10) < of_ten
    }
}

/// A plan with its inventory.
pub(crate) struct Random {
    pub(crate) plan: String,
    pub(crate) inventory: String,
}

const LOSSES: [&str; 5] = [
    "loss of disk",
    "loss of host",
    "loss of site",
    "human error",
    "corruption",
];

/// The plan of a seed.
pub(crate) fn plan(seed: u64) -> Random {
    let mut dice = Dice::new(seed);
    // the first numbers of near seeds are near
    for _ in 0..8 {
        dice.below(2);
    }
    let services = 1 + dice.below(3);
    let mut plan = String::from(
        "planc 1\nplan random\ntimezone Europe/Berlin\n\
         environment prod inventory \"inventory.yaml\"\n\
         window night every day 01:00..05:30\n\
         window weekend every sat 22:00..sun 09:00\n",
    );
    let volumes = dice.likely(3);
    if volumes {
        let day = dice.one_of(&["mon", "wed", "fri"]);
        let _ = writeln!(
            plan,
            "device tapes is volumes at home {{ rotate to away every {day} at 14:00, return when \
             expired }}"
        );
    }
    plan.push_str("assume {\n");
    let mut engines = Vec::new();
    for service in 0..services {
        let engine = dice.one_of(&["sqlite", "sqlite", "files", "postgresql"]);
        engines.push(engine);
        facts(&mut dice, &mut plan, service, engine);
    }
    plan.push_str("}\n");
    for (service, engine) in (0..).zip(&engines) {
        service_blocks(&mut dice, &mut plan, service, engine, volumes);
    }
    Random {
        plan,
        inventory: inventory(&mut dice, &engines, volumes),
    }
}

fn facts(dice: &mut Dice, plan: &mut String, service: u64, engine: &str) {
    let part = match engine {
        "postgresql" => "base of ",
        _ => "service ",
    };
    let size = 1 + dice.below(300);
    let _ = writeln!(plan, "  size {part}s{service} {size} GiB");
    let change = 1 + dice.below(30);
    let _ = writeln!(plan, "  change {part}s{service} {change}%/day");
    if engine != "files" {
        let rate = 1 + dice.below(8);
        let peak = rate + dice.below(30);
        let _ = writeln!(plan, "  log rate s{service} {rate} GiB/h");
        let _ = writeln!(plan, "  log peak s{service} {peak} GiB/h");
    }
}

fn service_blocks(dice: &mut Dice, plan: &mut String, service: u64, engine: &str, volumes: bool) {
    let _ = writeln!(plan, "objectives of s{service} {{");
    for loss in LOSSES {
        let _ = writeln!(plan, "  rpo 90d for {loss}");
        let _ = writeln!(plan, "  rto 90d for {loss}");
    }
    plan.push_str("}\n");
    let _ = writeln!(plan, "backup b{service} of service s{service} {{");
    take(dice, plan, engine);
    let store = dice.one_of(&["near", "near", "twin"]);
    let _ = writeln!(plan, "  store on {store}");
    let hours = 1 + dice.below(20);
    let what = dice.one_of(&["", "", "full "]);
    let _ = writeln!(plan, "  copy {what}to far within {hours}h");
    if volumes && dice.likely(6) {
        let _ = writeln!(plan, "  copy to tapes within {}h", 1 + dice.below(40));
    }
    plan.push_str("  retain window 60d\n  encrypt none\n}\n");
    if engine != "files" && (engine == "postgresql" || dice.likely(7)) {
        archive(dice, plan, service, engine, volumes);
    }
    recoveries(plan, service);
}

fn take(dice: &mut Dice, plan: &mut String, engine: &str) {
    let day = dice.one_of(&["mon", "tue", "thu", "sat", "sun"]);
    let (hour, minute) = (dice.below(24), dice.below(60));
    let when = match dice.below(5) {
        0 => "every day during night".to_owned(),
        1 => format!("every {day} at {hour:02}:{minute:02}"),
        2 => "every sat during weekend".to_owned(),
        3 => format!("every {}h", 4 + dice.below(60)),
        _ => format!("every day at {hour:02}:{minute:02}"),
    };
    let _ = writeln!(plan, "  physical full {when}");
    match dice.below(if engine == "sqlite" { 1 } else { 3 }) {
        1 => plan.push_str("  physical incremental every day during night\n"),
        2 => {
            let hour = dice.below(24);
            let _ = writeln!(
                plan,
                "  physical incremental every mon..sat at {hour:02}:00"
            );
        }
        _ => {}
    }
}

fn archive(dice: &mut Dice, plan: &mut String, service: u64, engine: &str, volumes: bool) {
    let _ = writeln!(plan, "archive a{service} of s{service} {{");
    let interval = match dice.below(3) {
        0 => format!("{}s", 10 + dice.below(50)),
        1 => format!("{}min", 1 + dice.below(59)),
        _ => format!("{}h", 1 + dice.below(6)),
    };
    let size = if dice.likely(5) {
        format!(" or {} MiB", 16 << dice.below(6))
    } else {
        String::new()
    };
    let first = dice.one_of(&["near", "twin"]);
    if engine == "postgresql" && dice.likely(4) {
        let _ = writeln!(
            plan,
            "  stream to {first} lag <= {} MiB",
            1 + dice.below(64)
        );
        let _ = writeln!(plan, "  ship every {interval}{size} to far");
    } else {
        let _ = writeln!(plan, "  ship every {interval}{size} to {first}");
        let minutes = 1 + dice.below(300);
        let _ = writeln!(plan, "  copy to far within {minutes}min");
    }
    if volumes && dice.likely(5) {
        let _ = writeln!(plan, "  copy to tapes within {}h", 1 + dice.below(30));
    }
    plan.push_str("  retain window 70d\n  encrypt none\n}\n");
}

fn recoveries(plan: &mut String, service: u64) {
    for (at, loss) in LOSSES.iter().enumerate() {
        let loss = loss.replace("site", "site home");
        let _ = writeln!(
            plan,
            "recovery r{service}_{at} {{\n  for {loss}\n  restore service s{service} to spare\n  \
             finish within 90d\n}}"
        );
    }
}

fn inventory(dice: &mut Dice, engines: &[&str], volumes: bool) -> String {
    let mut text = String::from(
        "inventory: 1\nsites: {home: {}, away: {}}\nhosts:\n  \
         vault: {site: home}\n  cellar: {site: home}\n  depot: {site: away}\n",
    );
    let replay = 5 + dice.below(200);
    let write = 50 + dice.below(1000);
    let _ = writeln!(
        text,
        "  spare: {{site: away, free: 9 TiB, write: {write} MiB/s, replay: {replay} MiB/s}}"
    );
    for (at, _) in engines.iter().enumerate() {
        let _ = writeln!(
            text,
            "  h{at}: {{site: home, replay: 50 MiB/s, disks: {{d0: {{read: 300 MiB/s}}}}}}"
        );
    }
    text.push_str("services:\n");
    for (at, engine) in engines.iter().enumerate() {
        let place = match *engine {
            "postgresql" => "version: \"17.4\"".to_owned(),
            _ => format!("path: /srv/s{at}, disk: d0"),
        };
        let _ = writeln!(text, "  s{at}: {{engine: {engine}, host: h{at}, {place}}}");
    }
    text.push_str("devices:\n");
    for (name, host) in [("near", "vault"), ("twin", "cellar"), ("far", "depot")] {
        let (write, read) = (20 + dice.below(500), 20 + dice.below(500));
        let _ = writeln!(
            text,
            "  {name}: {{host: {host}, path: /copies/{name}, append: true, write: {write} MiB/s, \
             read: {read} MiB/s}}"
        );
    }
    if volumes {
        let fetch = 1 + dice.below(40);
        let _ = writeln!(
            text,
            "  tapes: {{host: cellar, volumes: 4000, volume_size: 6 TiB, write: 100 MiB/s, read: \
             100 MiB/s, fetch: {fetch}h}}"
        );
    }
    text
}
