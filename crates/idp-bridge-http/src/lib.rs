//! What HTTP connectors share: a bounded client, a cached admin token, safe URLs and quoting.
