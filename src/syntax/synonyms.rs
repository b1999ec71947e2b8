//! Owns what planc says for words of other tools, so that a finding can name the cure.

/// What planc says for a word of other tools.
pub(super) fn synonym(word: &str) -> Option<&'static str> {
    let lower = word.to_ascii_lowercase();
    let bare = lower.trim_end_matches(['=', ':']);
    Some(match bare {
        "schedule" | "cron" | "interval" | "when" => {
            "when in the clause that acts: `physical full every day at 03:30`, `ship every 5min …`"
        }
        "destination" | "target" | "repo" | "repository" | "storage" => {
            "`store on DEVICE`, and `copy to DEVICE within 6h` for further copies"
        }
        "expire" | "retention" | "prune" => "`retain`, for example `retain window 35d`",
        "pitr" | "recover_until" => "`replay log until`, and promises it with `recovery window`",
        "compression" => "`compress`, for example `compress zstd 3`",
        "encryption" | "cipher" => "`encrypt with KEY`",
        "full" | "incremental" | "differential" | "level" => {
            "`physical` before it, for example `physical full every sun`"
        }
        "dump" => "`logical every …`",
        "include" => "`import \"FILE\" as NAME`",
        "job" => "`backup NAME of …`",
        "hook" | "script" | "run" | "exec" | "shell" => {
            "what must hold, not how: commands belong in the inventory"
        }
        "limit" | "rate_limit" | "bandwidth" => "`throttle`, for example `throttle 400 MiB/s`",
        "threads" | "workers" | "jobs" => "`parallel N`",
        "failover" => "`switchover` for a planned move, `recovery` for a loss",
        "test" | "rehearse" => "`drill`",
        "alert" | "email" | "mail" => "`notify CONTACT on failure`",
        "objective" | "slo" | "sla" => "`objectives of SERVICE { … }`",
        "var" | "let" | "variable" => "`param NAME: TYPE = DEFAULT`",
        "inventory" => "`environment NAME inventory \"FILE\"`",
        _ => return None,
    })
}
