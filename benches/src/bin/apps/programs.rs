//! The programs.

use std::fmt::Write as _;
use std::fs;
use std::process::Command;
use std::time::Instant;

use crate::app::{App, Error, Run, free_port, number_after};

const REDIS: &[&str] = &["/usr/bin/redis-server", "/usr/bin/redis-benchmark"];
const NGINX: &[&str] = &["/usr/sbin/nginx", "/usr/bin/ab"];
const POSTGRES: &[&str] = &["/usr/lib/postgresql", "/usr/bin/setpriv"];

pub const APPS: [App; 10] = [
    App {
        name: "redis-set",
        title: "redis SET",
        needs: REDIS,
        operations: 10_000,
        work: |run, operations| redis(run, operations, "set", 1),
    },
    App {
        name: "redis-get",
        title: "redis GET",
        needs: REDIS,
        operations: 10_000,
        work: |run, operations| redis(run, operations, "get", 1),
    },
    App {
        name: "redis-set-16",
        title: "redis SET, 16 in a pipeline",
        needs: REDIS,
        operations: 60_000,
        work: |run, operations| redis(run, operations, "set", 16),
    },
    App {
        name: "redis-get-16",
        title: "redis GET, 16 in a pipeline",
        needs: REDIS,
        operations: 60_000,
        work: |run, operations| redis(run, operations, "get", 16),
    },
    App {
        name: "nginx",
        title: "nginx, a file of 1 KiB, keep-alive",
        needs: NGINX,
        operations: 5000,
        work: nginx,
    },
    App {
        name: "pgbench-select",
        title: "PostgreSQL, pgbench, select only",
        needs: POSTGRES,
        operations: 1200,
        work: |run, operations| postgres(run, operations, &["-S"]),
    },
    App {
        name: "pgbench",
        title: "PostgreSQL, pgbench, transactions",
        needs: POSTGRES,
        operations: 400,
        work: |run, operations| postgres(run, operations, &[]),
    },
    App {
        name: "sqlite",
        title: "SQLite, insert and select a row, one transaction",
        needs: &["/usr/bin/sqlite3"],
        operations: 100_000,
        work: sqlite,
    },
    App {
        name: "python",
        title: "Python, dictionaries, strings, numbers",
        needs: &["/usr/bin/python3"],
        operations: 100,
        work: python,
    },
    App {
        name: "node",
        title: "Node, HTTP server, keep-alive",
        needs: &["/usr/bin/node", "/usr/bin/ab"],
        operations: 3000,
        work: node,
    },
];

fn redis(run: &Run<'_>, operations: u32, test: &str, pipeline: u32) -> Result<f64, Error> {
    let port = free_port()?;
    let (at, count) = (port.to_string(), operations.to_string());
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
    let depth = pipeline.to_string();
    let mut words = vec!["redis-benchmark", "-p", &at, "-c", "10", "--csv"];
    words.extend(["-n", &count, "-P", &depth, "-t", test]);
    let report = run.client(&words)?;
    server.stop("TERM")?;
    number_after(&report, &format!("\"{}\"", test.to_uppercase()))
}

/// `ab` with connections kept alive.
fn requests(run: &Run<'_>, operations: u32, port: u16) -> Result<f64, Error> {
    let (count, url) = (operations.to_string(), format!("http://127.0.0.1:{port}/"));
    let report = run.client(&["ab", "-q", "-k", "-c", "8", "-n", &count, &url])?;
    let bad = number_after(&report, "Failed requests:")?;
    if bad > 0.0 || report.contains("Non-2xx") {
        let what = "ab".to_owned();
        return Err(Error::Failed { what, said: report });
    }
    number_after(&report, "Requests per second:")
}

fn nginx(run: &Run<'_>, operations: u32) -> Result<f64, Error> {
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
    let server = run.serve(&words, port)?;
    let rate = requests(run, operations, port);
    server.stop("QUIT")?;
    rate
}

fn node(run: &Run<'_>, operations: u32) -> Result<f64, Error> {
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
    let rate = requests(run, operations, port);
    server.stop("TERM")?;
    rate
}

fn postgres(run: &Run<'_>, operations: u32, kind: &[&str]) -> Result<f64, Error> {
    const USER: [&str; 4] = [
        "setpriv",
        "--reuid=postgres",
        "--regid=postgres",
        "--clear-groups",
    ];
    let mut versions = Vec::new();
    let look = |error| Error::Io("/usr/lib/postgresql".to_owned(), error);
    for entry in fs::read_dir("/usr/lib/postgresql").map_err(look)? {
        versions.push(entry.map_err(look)?.path());
    }
    let latest = versions.iter().max();
    let latest = latest.ok_or_else(|| Error::Missing("a server of PostgreSQL".to_owned()))?;
    let program = |name: &str| latest.join("bin").join(name).display().to_string();
    let data = run.path("data");
    let port = free_port()?;
    let at = port.to_string();

    let mut initdb = Command::new(USER[0]);
    initdb.args(&USER[1..]).arg(program("initdb"));
    run.output({
        initdb.args(["-D", &data, "-A", "trust", "-N"]);
        initdb
    })?;
    let postgres = program("postgres");
    let mut words = USER.to_vec();
    words.extend([&postgres, "-D", &data, "-p", &at, "-k", &data]);
    words.extend(["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]);
    words.extend(["-c", "autovacuum=off"]);
    let server = run.serve(&words, port)?;
    let client = |options: &[&str]| {
        let pgbench = program("pgbench");
        let mut words = vec![pgbench.as_str(), "-h", "127.0.0.1", "-p", &at];
        words.extend(["-U", "postgres"]);
        words.extend(options);
        words.push("postgres");
        run.client(&words)
    };
    let mut tries = 0;
    // It listens before it is ready.
    while let Err(error) = client(&["-i", "-q"]) {
        tries += 1;
        if tries > 20 {
            return Err(error);
        }
        std::thread::sleep(std::time::Duration::from_millis(500));
    }
    let each = (operations / 4).to_string();
    let mut options = vec!["-c", "4", "-j", "1", "-n", "-t", &each];
    options.extend(kind);
    let report = client(&options)?;
    server.stop("INT")?;
    number_after(&report, "tps =")
}

fn sqlite(run: &Run<'_>, operations: u32) -> Result<f64, Error> {
    let mut script = String::from("CREATE TABLE t (id INTEGER PRIMARY KEY, name);\nBEGIN;\n");
    for number in 0..operations {
        // Writing to a string cannot fail.
        let _ = writeln!(script, "INSERT INTO t VALUES ({number}, 'name {number}');");
    }
    script.push_str(".output selected\n");
    for number in 0..operations {
        let _ = writeln!(script, "SELECT name FROM t WHERE id = {number};");
    }
    script.push_str("COMMIT;\n");
    run.write("script", &script)?;
    let start = Instant::now();
    run.output(run.measured(&["/usr/bin/sqlite3", "test.db", ".read script"]))?;
    Ok(f64::from(operations) / start.elapsed().as_secs_f64())
}

fn python(run: &Run<'_>, operations: u32) -> Result<f64, Error> {
    let script = format!(
        "import json, re, time
def work():
    words = [str(i * 7919 % 10007) for i in range(5000)]
    count = {{}}
    for word in words: count[word[:2]] = count.get(word[:2], 0) + 1
    text = json.dumps(sorted(count.items()))
    total = sum(int(n) for n in re.findall(r'[0-9]+', text))
    return total + sum(i * i % 7 for i in range(20000))
start = time.perf_counter()
for _ in range({operations}): work()
print('rate', {operations} / (time.perf_counter() - start))"
    );
    let report = run.output(run.measured(&["/usr/bin/python3", "-c", &script]))?;
    number_after(&report, "rate")
}
