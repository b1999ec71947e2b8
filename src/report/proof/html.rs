//! The matrix as one page without outside parts, for screen and paper.

use askama::Template;

use crate::check::proof::Outcome;
use crate::check::survival::Cell;
use crate::estimate;
use crate::graph::render::svg;
use crate::outlook::paths::WayBack;
use crate::report::proof::{Shown, components, copies, figure, path, terms};

#[derive(Template)]
#[template(path = "proof/page.html", config = "src/report/askama.toml")]
struct Page {
    title: String,
    environments: Vec<Environment>,
}

struct Environment {
    title: String,
    tally: String,
    promises: Vec<Promise>,
    services: Vec<Service>,
    paths: Vec<Drawn>,
}

struct Promise {
    words: String,
    service: String,
    verdict: &'static str,
    found: String,
    reason: String,
    place: String,
}

struct Service {
    name: String,
    cells: Vec<Shade>,
}

/// A cell as text.
struct Shade {
    loss: String,
    components: String,
    copies: String,
    via: String,
    path: String,
    data: String,
    data_terms: String,
    time: String,
    time_terms: String,
    promises: Vec<(String, &'static str)>,
    verdict: &'static str,
}

struct Drawn {
    name: String,
    losses: String,
    svg: String,
    error: String,
}

/// One page for all environments.
#[must_use]
pub fn html(shown: &[Shown<'_>]) -> String {
    let title = shown.first().map_or("", |first| &first.matrix.plan);
    let page = Page {
        title: title.to_owned(),
        environments: shown.iter().map(environment).collect(),
    };
    // the template writes into a string, which cannot fail
    page.render().unwrap_or_default()
}

fn environment(shown: &Shown<'_>) -> Environment {
    let promises = shown.rows.iter().map(|row| Promise {
        words: row.words.clone(),
        service: row.service.clone(),
        verdict: row.verdict.word(),
        found: row
            .found
            .map(|found| row.unit.words(found))
            .unwrap_or_default(),
        reason: row.reason.clone(),
        place: shown.place(row),
    });
    let mut services: Vec<Service> = Vec::new();
    for cell in &shown.matrix.cells {
        let last = services
            .last()
            .is_some_and(|last| last.name == cell.service);
        if !last {
            services.push(Service {
                name: cell.service.clone(),
                cells: Vec::new(),
            });
        }
        if let Some(service) = services.last_mut() {
            service.cells.push(shade(cell));
        }
    }
    Environment {
        title: shown.title(),
        tally: shown.tally(),
        promises: promises.collect(),
        services,
        paths: shown.paths.iter().flatten().map(drawn).collect(),
    }
}

fn shade(cell: &Cell) -> Shade {
    let promises = cell.promises.iter();
    let promises = promises.map(|(words, outcome)| (words.clone(), outcome.word()));
    Shade {
        loss: cell.loss.words(),
        components: components(cell),
        copies: copies(cell),
        via: cell.via.clone(),
        path: path(cell),
        data: figure(cell.data.as_ref()),
        data_terms: cell.data.as_ref().map(terms).unwrap_or_default(),
        time: figure(cell.time.as_ref()),
        time_terms: cell.time.as_ref().map(terms).unwrap_or_default(),
        promises: promises.collect(),
        verdict: cell.verdict().map_or("none", Outcome::word),
    }
}

fn drawn(way: &WayBack) -> Drawn {
    // a step of unknown length must still be seen
    const UNKNOWN_SECONDS: f64 = 1.0;
    let (svg, error) = match &way.graph {
        Ok(rehearsed) => {
            let played = estimate::simulate(&rehearsed.graph, UNKNOWN_SECONDS);
            (svg::svg(&rehearsed.graph, &played.bars), String::new())
        }
        Err(error) => (String::new(), error.to_string()),
    };
    Drawn {
        name: way.name.clone(),
        losses: way.losses.join(", "),
        svg,
        error,
    }
}
