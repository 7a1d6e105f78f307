//! The programs.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Instant;

use crate::app::{
    App, Done, Error, LOOK_AGAIN, Load, PATIENCE, Run, Server, free_port, number_after,
    number_before,
};
use crate::starter::Starter;

const REDIS: &[&str] = &["/usr/bin/redis-server", "/usr/bin/redis-benchmark"];
const NGINX: &[&str] = &["/usr/sbin/nginx", "/usr/bin/wrk"];
/// Prints the nanoseconds of a round.
const PYTHON_MIX: &str = include_str!("../../../guests/mix.py");
const POSTGRES: &[&str] = &["/usr/lib/postgresql", "/usr/bin/setpriv"];

pub const APPS: [App; 10] = [
    App {
        name: "redis-set",
        title: "redis SET",
        needs: REDIS,
        operations: 2000,
        work: |run, load| redis(run, load, "set", 1),
    },
    App {
        name: "redis-get",
        title: "redis GET",
        needs: REDIS,
        operations: 2000,
        work: |run, load| redis(run, load, "get", 1),
    },
    App {
        name: "redis-set-16",
        title: "redis SET, 16 in a pipeline",
        needs: REDIS,
        operations: 20_000,
        work: |run, load| redis(run, load, "set", 16),
    },
    App {
        name: "redis-get-16",
        title: "redis GET, 16 in a pipeline",
        needs: REDIS,
        operations: 20_000,
        work: |run, load| redis(run, load, "get", 16),
    },
    App {
        name: "nginx",
        title: "nginx, a file of 1 KiB, keep-alive",
        needs: NGINX,
        operations: 1000,
        work: nginx,
    },
    App {
        name: "pgbench-select",
        title: "PostgreSQL, pgbench, select only",
        needs: POSTGRES,
        operations: 1000,
        work: |run, load| postgres(run, load, &["-S"]),
    },
    App {
        name: "pgbench",
        title: "PostgreSQL, pgbench, transactions",
        needs: POSTGRES,
        operations: 200,
        work: |run, load| postgres(run, load, &[]),
    },
    App {
        name: "sqlite",
        title: "SQLite, insert and select a row, one transaction",
        needs: &["/usr/bin/sqlite3"],
        operations: 5000,
        work: sqlite,
    },
    App {
        name: "python",
        title: "Python, dictionaries, strings, numbers",
        needs: &["/usr/bin/python3"],
        operations: 50,
        work: python,
    },
    App {
        name: "node",
        title: "Node, HTTP server, keep-alive",
        needs: &["/usr/bin/node", "/usr/bin/wrk"],
        operations: 1000,
        work: node,
    },
];

fn redis(run: &Run<'_>, load: Load, test: &str, pipeline: u32) -> Result<Done, Error> {
    let port = free_port()?;
    let at = port.to_string();
    let words = [
        "redis-server",
        "--port",
        &at,
        "--bind",
        "127.0.0.1",
        "--save",
        "",
    ];
    let server = run.serve(&words, port)?;
    let (count, depth) = (load.operations.to_string(), pipeline.to_string());
    let ask = |test: &str, count: &str| {
        let mut words = vec!["redis-benchmark", "-p", &at, "-c", "10", "--csv"];
        words.extend(["-n", count, "-P", &depth, "-t", test]);
        run.client(&words)
    };
    // There must be something to get.
    ask("set", "10")?;
    let report = ask(test, &count)?;
    server.stop("TERM")?;
    Ok(Done {
        operations: f64::from(load.operations),
        rate: number_after(&report, &format!("\"{}\"", test.to_uppercase()))?,
    })
}

/// `wrk` with connections kept alive; stops the server.
fn requests(run: &Run<'_>, load: Load, server: Server, port: u16) -> Result<Done, Error> {
    let (time, url) = (
        format!("-d{}s", load.seconds),
        format!("http://127.0.0.1:{port}/"),
    );
    let report = run.client(&["wrk", "-t1", "-c8", "--timeout", "30s", &time, &url])?;
    server.stop("TERM")?;
    if report.contains("Non-2xx") || report.contains("Socket errors") {
        let what = "wrk".to_owned();
        return Err(Error::Failed { what, said: report });
    }
    Ok(Done {
        operations: number_before(&report, " requests in")?,
        rate: number_after(&report, "Requests/sec:")?,
    })
}

fn nginx(run: &Run<'_>, load: Load) -> Result<Done, Error> {
    let port = free_port()?;
    let configuration = format!(
        "worker_processes 1; daemon off; pid nginx.pid; error_log error.log; events {{}}
         http {{ access_log off; sendfile on; keepalive_requests 1000000;
         client_body_temp_path a; proxy_temp_path b; fastcgi_temp_path c; uwsgi_temp_path d;
         scgi_temp_path e; server {{ listen 127.0.0.1:{port}; root www; }} }}"
    );
    run.write("nginx.conf", &configuration)?;
    let page = |error| Error::Io("www".to_owned(), error);
    fs::create_dir_all(run.path("www")).map_err(page)?;
    run.write("www/index.html", &"x".repeat(1024))?;
    let words = ["/usr/sbin/nginx", "-p", &run.path(""), "-c", "nginx.conf"];
    requests(run, load, run.serve(&words, port)?, port)
}

fn node(run: &Run<'_>, load: Load) -> Result<Done, Error> {
    let port = free_port()?;
    run.write(
        "server.js",
        &format!(
            "const server = require('http').createServer((q, r) => r.end('hello'));
             server.listen({port}, '127.0.0.1');
             process.on('SIGTERM', () => process.exit(0));"
        ),
    )?;
    let server = run.serve(&["/usr/bin/node", "server.js"], port)?;
    requests(run, load, server, port)
}

fn postgres(run: &Run<'_>, load: Load, kind: &[&str]) -> Result<Done, Error> {
    let made = run.kept("postgres");
    if !Path::new(&made).exists() {
        let making = run.kept("postgres.making");
        let initdb = postgres_program("initdb")?;
        let mut words = POSTGRES_USER.to_vec();
        words.extend([&initdb, "-D", &making, "-A", "trust", "-N"]);
        run.client(&words)?;
        let (server, port) = serve_postgres(run, &Starter::Native, &making)?;
        pgbench(run, port, &["-i", "-q"])?;
        psql(run, port, "CREATE EXTENSION pg_prewarm")?;
        server.stop("INT")?;
        fs::rename(&making, &made).map_err(|error| Error::Io(making, error))?;
    }
    // The same tables for each run.
    let data = run.path("data");
    run.client(&["cp", "-a", &made, &data])?;

    let (server, port) = serve_postgres(run, run.starter(), &data)?;
    // As after some time, when no operation reads a file.
    let tables = "SELECT pg_prewarm(oid) FROM pg_class WHERE relname LIKE 'pgbench_%'";
    psql(run, port, tables)?;
    let each = (load.operations / CLIENTS).max(1).to_string();
    let clients = CLIENTS.to_string();
    let mut options = vec!["-c", &clients, "-j", "1", "-n", "-t", &each];
    options.extend(kind);
    let report = pgbench(run, port, &options)?;
    server.stop("INT")?;
    Ok(Done {
        operations: number_after(&report, "transactions actually processed:")?,
        rate: number_after(&report, "tps =")?,
    })
}

const CLIENTS: u32 = 4;
/// Its server does not run as root.
const POSTGRES_USER: [&str; 4] = [
    "setpriv",
    "--reuid=postgres",
    "--regid=postgres",
    "--clear-groups",
];

/// One of the latest version.
fn postgres_program(name: &str) -> Result<String, Error> {
    let mut versions = Vec::new();
    let look = |error| Error::Io("/usr/lib/postgresql".to_owned(), error);
    for entry in fs::read_dir("/usr/lib/postgresql").map_err(look)? {
        versions.push(entry.map_err(look)?.path());
    }
    let latest = versions.iter().max();
    let latest = latest.ok_or_else(|| Error::Missing("a server of PostgreSQL".to_owned()))?;
    Ok(latest.join("bin").join(name).display().to_string())
}

/// Starts a server on `data` and waits until it takes connections; its port.
fn serve_postgres(run: &Run<'_>, starter: &Starter, data: &str) -> Result<(Server, u16), Error> {
    let (port, postgres) = (free_port()?, postgres_program("postgres")?);
    let at = port.to_string();
    let mut words = POSTGRES_USER.to_vec();
    words.extend([&postgres, "-D", data, "-p", &at, "-k", data]);
    words.extend(["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]);
    words.extend(["-c", "autovacuum=off"]);
    let server = run.serve_by(starter, &words, port)?;
    // It listens before it is ready, and a connection to find out would be one more process.
    let (state, start) = (format!("{data}/postmaster.pid"), Instant::now());
    while !fs::read_to_string(&state).is_ok_and(|text| text.contains("ready")) {
        if start.elapsed() > PATIENCE {
            return Err(Error::Slow(postgres));
        }
        std::thread::sleep(LOOK_AGAIN);
    }
    Ok((server, port))
}

fn pgbench(run: &Run<'_>, port: u16, options: &[&str]) -> Result<String, Error> {
    postgres_client(run, "pgbench", port, options)
}

fn psql(run: &Run<'_>, port: u16, statement: &str) -> Result<String, Error> {
    postgres_client(run, "psql", port, &["-q", "-c", statement])
}

fn postgres_client(
    run: &Run<'_>,
    name: &str,
    port: u16,
    options: &[&str],
) -> Result<String, Error> {
    let (client, at) = (postgres_program(name)?, port.to_string());
    let mut words = vec![client.as_str(), "-h", "127.0.0.1", "-p", &at];
    words.extend(["-U", "postgres"]);
    words.extend(options);
    words.push("postgres");
    run.client(&words)
}

fn sqlite(run: &Run<'_>, load: Load) -> Result<Done, Error> {
    const TIME: &str = "SELECT 'at', julianday('now') * 86400.0;\n";
    let mut script = String::from("CREATE TABLE t (id INTEGER PRIMARY KEY, name);\n");
    script.push_str(TIME);
    script.push_str("BEGIN;\n");
    for number in 0..load.operations {
        // Writing to a string cannot fail.
        let _ = writeln!(script, "INSERT INTO t VALUES ({number}, 'name {number}');");
    }
    script.push_str(".output selected\n");
    for number in 0..load.operations {
        let _ = writeln!(script, "SELECT name FROM t WHERE id = {number};");
    }
    script.push_str("COMMIT;\n.output\n");
    script.push_str(TIME);
    run.write("script", &script)?;
    let report = run.measured(&["/usr/bin/sqlite3", "test.db", ".read script"])?;
    let (first, last) = report.split_once('\n').unwrap_or_default();
    let operations = f64::from(load.operations);
    let seconds = number_after(last, "at|")? - number_after(first, "at|")?;
    Ok(Done {
        operations,
        rate: operations / seconds,
    })
}

fn python(run: &Run<'_>, load: Load) -> Result<Done, Error> {
    let operations = load.operations;
    let rounds = operations.to_string();
    let report = run.measured(&["/usr/bin/python3", "-c", PYTHON_MIX, &rounds])?;
    let nanoseconds = number_before(&report, "\n")?;
    Ok(Done {
        operations: f64::from(operations),
        rate: 1e9 / nanoseconds,
    })
}
