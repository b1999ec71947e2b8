//! Owns the text of `pg_dumpall`: cut into statements, without what a scratch cluster has already.
//! Opens nothing.

use crate::engine::postgres::tables::quoted;

/// The statements that make the roles; the one that made the cluster exists.
pub(super) fn statements(text: &str, bootstrap: &str) -> Vec<String> {
    let plain = format!("CREATE ROLE {bootstrap}");
    let in_quotes = format!("CREATE ROLE {}", quoted(bootstrap));
    let all = cut(text).into_iter();
    all.filter(|one| *one != plain && *one != in_quotes)
        .collect()
}

/// Cuts at semicolons outside quotes; comments and commands of the client are left out.
fn cut(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut statement = String::new();
    let mut quote = None;
    for line in text.split_inclusive('\n') {
        let aside = line.starts_with("--") || line.starts_with('\\');
        if quote.is_none() && statement.trim().is_empty() && aside {
            continue;
        }
        for sign in line.chars() {
            match quote {
                Some(open) if open == sign => quote = None,
                None if matches!(sign, '\'' | '"') => quote = Some(sign),
                None if sign == ';' => {
                    found.push(std::mem::take(&mut statement).trim().to_owned());
                    continue;
                }
                _ => {}
            }
            statement.push(sign);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_cut_outside_quotes() {
        let text = "-- head\n\\restrict key\nSET a = on;\n\nCREATE ROLE postgres;\n\
                    CREATE ROLE \"a;b\";\nALTER ROLE x PASSWORD 'it''s; so\n-- not a comment';\n";
        let found = statements(text, "postgres");
        assert_eq!(
            found,
            [
                "SET a = on",
                "CREATE ROLE \"a;b\"",
                "ALTER ROLE x PASSWORD 'it''s; so\n-- not a comment'",
            ]
        );
        let odd = statements("CREATE ROLE \"Keeper\";\nCREATE ROLE keeper;\n", "Keeper");
        assert_eq!(odd, ["CREATE ROLE keeper"]);
    }
}
