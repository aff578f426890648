//! Definitions that are refused, each with the line and the key of the mistake.

use idp_bridge_connector_http::{Definition, catalog};

/// A definition without mistakes.
const GOOD: &str = include_str!("sample.toml");

/// Marks the line of a mistake.
const MARK: char = '§';

/// A change of the good definition, and a part of the message. The mistake is in the first changed line, or in the marked one.
const MISTAKES: &[(&str, &str, &str)] = &[
    // Not the types of the language.
    ("verified = \"contract\"", "verified = \"maybe\"", "maybe"),
    ("[product]\nname = \"Sample\"\n", "§[product]\n", "missing field `name`"),
    ("docs = []", "docs = []\nhomepage = \"x\"", "homepage"),
    ("type = \"header\"", "type = \"cookie\"", "cookie"),
    ("method = \"DELETE\"", "method = \"ERASE\"", "ERASE"),
    ("kind = \"not_found\"", "kind = \"absent\"", "absent"),
    ("status = 404", "status = 70000", "70000"),
    ("[product]", "[product", "line 2"),
    // Placeholders.
    ("\"users\", \"{id}\"] }\nuser", "\"users\", \"{id\"] }\nuser", "brace"),
    ("\"users\", \"{id}\"] }\nuser", "\"users\", \"{ID}\"] }\nuser", "not a placeholder"),
    (
        "\"users\", \"{id}\"] }\nuser",
        "\"users\", \"{uid}\"] }\nuser",
        "`calls.get_by_id.request.path`: `{uid}` is not there",
    ),
    ("\"users\", \"{id}\"] }\nuser", "\"users\", \"{email}\"] }\nuser", "`{email}` is not there"),
    ("{email|quoted}", "{email}", "beside other text"),
    ("{email|quoted}", "{email|lower}", "beside other text"),
    ("{email|quoted}", "{email|sql}", "unknown function `sql`"),
    ("{email|quoted}", "{title} {email|quoted}", "give the setting the type `name`"),
    ("{email|quoted}", "{key} {email|quoted}", "belongs into `[auth]`"),
    ("{step.flow}", "{step.other}", "`{step.other}` is not there"),
    ("{step.flow}", "{detail.other}", "`{detail.other}` is not there"),
    ("capture = { flow = \"/id\" } },", "json = { flow = \"{step.flow}\" } },", "`{step.flow}` is not there"),
    // Paths.
    ("path = [\"flows\"]", "path = [\"a/b\"]", "`calls.send_verification_email.steps.0.path`"),
    ("path = [\"flows\"]", "path = [\"..\"]", "a segment is empty, `.`, `..`"),
    ("path = [\"flows\"]", "path = [\"\"]", "a segment is empty, `.`, `..`"),
    ("path = [\"flows\"]", "path = [\"x{id}\"]", "beside other text"),
    // Origins and credentials.
    ("origin = \"public\", auth = \"none\"", "origin = \"public\"", "belongs to another origin"),
    ("origin = \"public\", auth = \"none\"", "auth = \"none\"", "there are several origins"),
    ("origin = \"public\", auth = \"none\"", "origin = \"title\", auth = \"none\"", "has another type"),
    ("origin = \"public\", auth = \"none\"", "origin = \"url\", auth = \"basic\"", "there is no credential `basic`"),
    ("key = \"key\"", "key = \"title\"", "`auth.key.key`: the setting `title` has another type"),
    ("key = \"key\"", "key = \"none\"", "`auth.key.key`: there is no setting `none`"),
    ("path = [\"mails\"]", "path = [\"mails\"], headers = { authorization = \"x\" }", "`authorization` cannot be set"),
    (
        "type = \"header\"\norigin = \"url\"\nname = \"x-api-key\"\nprefix = \"SSWS \"\nkey",
        "type = \"bearer\"\norigin = \"url\"\n§also_in = \"Cookie\"\ntoken",
        "`auth.key.also_in`: `Cookie` cannot be set",
    ),
    (
        "[user]",
        "[auth.other]\ntype = \"bearer\"\norigin = \"public\"\n§token = \"key\"\n[user]",
        "`auth.other.token`: the secret `key` belongs to the origin `url`, where `auth.key.key` sends it",
    ),
    (
        "[user]",
        "[auth.other]\ntype = \"client_credentials\"\norigin = \"url\"\ntoken_origin = \"public\"\ntoken_path = [\"token\"]\n\
         client_id = \"title\"\n§client_secret = \"key\"\n[user]",
        "`auth.other.client_secret`: the secret `key` belongs to the origin `url`",
    ),
    (
        "[user]",
        "[federation]\norigin = \"public\"\nclient_id = \"title\"\n§client_secret = \"key\"\n[user]",
        "`federation.client_secret`: the secret `key` belongs to the origin `url`",
    ),
    (
        "doc = \"The URL.\"",
        "doc = \"The URL.\", default = \"ftp://x\"",
        "`settings.url.default`: a URL is neither `https` nor `http`",
    ),
    ("doc = \"The URL.\"", "doc = \"The URL.\", default = \"acme\"", "`settings.url.default`: a URL cannot be read"),
    ("default = \"title\"", "default = \"\"", "`settings.title.default`: the text is empty"),
    // What is not used.
    ("place = \"/place\"", "place = \"/place\"\nmore = \"/more\"", "`user.detail.more`: no request has the value"),
    (
        "[user]",
        "[auth.other]\ntype = \"basic\"\norigin = \"url\"\nuser = \"title\"\npassword = \"key\"\n[user]",
        "`auth.other`: no request uses the credential",
    ),
    ("title = {", "more = { type = \"text\", doc = \"x\" }\ntitle = {", "`settings.more`: the setting is not used"),
    ("title = {", "more = { type = \"secret\", doc = \"x\" }\ntitle = {", "`settings.more`: the setting is not used"),
    ("title = {", "more = { type = \"origin\", doc = \"x\" }\ntitle = {", "`settings.more`: the setting is not used"),
    ("capture = { flow = \"/id\" }", "capture = { flow = \"/id\", x = \"/x\" }", "steps.0.capture.x`: no later step"),
    (
        "request = { method = \"DELETE\", ",
        "request = { capture = { x = \"/x\" }, method = \"DELETE\", ",
        "`calls.delete.request.capture`: only `steps` of a call",
    ),
    (
        "[[errors]]",
        "[stage]\ncreate = { method = \"POST\", origin = \"url\", path = [] }\nid = \"/id\"\n\
         §values = { x = { of = \"blocked\", yes = 1, no = 0 } }\n[[errors]]",
        "`stage.values.x`: the value is not used",
    ),
    (
        "type = \"header\"\norigin = \"url\"\nname = \"x-api-key\"\nprefix = \"SSWS \"\nkey",
        "type = \"client_credentials\"\norigin = \"url\"\n§token_origin = \"title\"\ntoken_path = []\nclient_id = \"title\"\nclient_secret",
        "`auth.key.token_origin`: the setting `title` has another type",
    ),
    ("[calls.delete]", "[calls.delete]\nusers = \"\"", "`calls.delete.users`: only reads have"),
    ("[calls.delete]", "[calls.delete]\nnext = { at = \"/next\" }", "`calls.delete.next`: only searches have"),
    (
        "[calls.delete]",
        "[calls.delete]\nundo = { origin = \"url\", path = [] }",
        "`calls.delete.undo`: only `mark_email_verified` has",
    ),
    // Headers.
    ("name = \"x-api-key\"", "name = \"host\"", "`auth.key.name`: `host` cannot be set: the connection sets it"),
    ("name = \"x-api-key\"", "name = \"Content-Length\"", "`auth.key.name`: `Content-Length` cannot be set"),
    ("name = \"x-api-key\"", "name = \"bad name\"", "`auth.key.name`: `bad name` is not a header name"),
    ("prefix = \"SSWS \"", "prefix = \"SSWS\\r\\n\"", "`auth.key.prefix`: a header has no line breaks"),
    (
        "type = \"header\"\norigin = \"url\"\nname = \"x-api-key\"\nprefix = \"SSWS \"\nkey",
        "type = \"bearer\"\norigin = \"url\"\n§also_in = \"\"\ntoken",
        "`auth.key.also_in`: `` is not a header name",
    ),
    (
        "path = [\"mails\"]",
        "path = [\"mails\"], headers = { \"bad name\" = \"x\" }",
        "steps.1.headers.bad name`: `bad name` is no",
    ),
    (
        "path = [\"mails\"]",
        "path = [\"mails\"], headers = { a = \"b\\r\\nc: d\" }",
        "steps.1.headers.a`: a header has no line breaks",
    ),
    ("path = [\"mails\"]", "path = [\"mails\"], headers = { Connection = \"close\" }", "`Connection` cannot be set"),
    ("path = [\"mails\"]", "path = [\"mails\"], content_type = \"json\"", "steps.1.content_type`: a media type is"),
    (
        "path = [\"mails\"]",
        "path = [\"mails\"], content_type = \"a/b\\r\\nc: d\"",
        "steps.1.content_type`: a header has no",
    ),
    ("path = [\"flows\"]", "path = [\"flows\"], content_type = \"a/b\"", "steps.0.content_type`: only a JSON body"),
    (
        "docs = []",
        "docs = []\nanswer_header = \"bad name\"",
        "`product.answer_header`: `bad name` is not a header name",
    ),
    ("docs = []", "docs = []\nretry_after_header = \"\"", "`product.retry_after_header`: `` is not a header name"),
    // Settings.
    ("doc = \"The key.\"", "doc = \"The key.\", default = \"x\"", "a secret has no default"),
    ("default = \"customer\"", "default = \"a b\"", "`settings.field.default`"),
    ("title = {", "email = {", "the name is reserved"),
    // Calls.
    (
        "[calls.send_password_reset_email]\nunsupported = \"no mails\"",
        "§[calls.send_password_reset_email]\ncondition = \"sometimes\"",
        "add `request`, or `unsupported`",
    ),
    (
        "unsupported = \"no mails\"",
        "unsupported = \"no mails\"\ncondition = \"x\"",
        "email.condition`: a call with `unsupported` has no",
    ),
    (
        "unsupported = \"no mails\"",
        "unsupported = \"no mails\"\nuser = \"\"",
        "email.user`: a call with `unsupported` has no",
    ),
    (
        "unsupported = \"no mails\"",
        "unsupported = \"no mails\"\nundo = { origin = \"url\", path = [] }",
        "email.undo`: a call with `unsupported` has no",
    ),
    (
        "[calls.get_by_id]\nrequest = { origin = \"url\", path = [\"users\", \"{id}\"] }\nuser = \"\"",
        "§[calls.get_by_id]\nrequest = { origin = \"url\", path = [\"users\", \"{id}\"] }",
        "add `user` or `users`",
    ),
    ("user = \"\"", "§user = \"\"\nusers = \"/x\"", "not both"),
    ("user = \"\"", "user = \"id\"", "`calls.get_by_id.user`: `id` is not a JSON pointer"),
    ("next = { at = \"/next\" }", "next = { at = \"next\" }", "a JSON pointer begins with `/`"),
    (
        "next = { at = \"/next\" }",
        "next = { page = { first = 0, size = 0 } }",
        "`calls.get_by_email.next.page.size`: a full page",
    ),
    (
        "next = { at = \"/next\" }",
        "next = { offset = { first = 2, size = 1 } }",
        "`calls.get_by_email.next.offset.first`: the first",
    ),
    ("page = \"{cursor}\"", "page = \"1\"", "the query has no value `{cursor}`"),
    ("json = { verified = true } }", "json = { verified = true }, form = { a = \"b\" } }", "not both"),
    ("json = { verified = true } }", "json = { \"{project}\" = true } }", "not in the name of a member"),
    ("method = \"PATCH\", ", "", "a GET has no body"),
    ("json = { verified = true } }", "json = { verified = true }, success = [404] }", "only statuses from 200 to 299"),
    ("capture = { flow = \"/id\" }", "capture = { flow = \"id\" }", "a JSON pointer begins with `/`"),
    ("capture = { flow = \"/id\" }", "capture = { flow = \"/id\" }, empty_body = true", "cannot have `require`"),
    // Refusals.
    ("status = 404", "status = 99", "`errors.0.status`: a status is from 200 to 599"),
    ("status = 404", "status = []", "`errors.0.status`: the list is empty"),
    ("status = 404", "status = 404\nstep = 9", "`errors.0.step`: no call has a step 9"),
    ("status = 404", "status = 404\nstep = 0", "`errors.0.step`: no call has a step 0"),
    (
        "status = 404",
        "status = 404\ncall = \"delete\"\n§step = 2",
        "`errors.0.step`: `delete` has no step 2: its last one is 1",
    ),
    (
        "status = 404",
        "status = 404\ncall = [\"delete\", \"send_password_reset_email\"]",
        "`errors.0.call`: no request is sent for `send_password_reset_email`",
    ),
    ("status = 404", "status = 404\ncall = \"auth\"", "`errors.0.call`: no request is sent for `auth`"),
    ("status = 404", "status = 404\ncall = \"end_session\"", "`errors.0.call`: no request is sent for `end_session`"),
    ("status = 404", "status = 404\ncall = []", "`errors.0.call`: the list is empty"),
    ("when = [{ at = \"/code\", equals = \"gone\" }]", "text = \"\"", "`errors.0.text`: each body has the empty text"),
    ("equals = \"gone\"", "contains = \"\"", "`errors.0.when.0`: each text has the empty text"),
    ("equals = \"gone\"", "and_term = \"\"", "`errors.0.when.0`: each text has the empty text"),
    (
        "message = \"no such user\"",
        "message = \"no such user\"\n[[errors]]\ncall = \"delete\"\nstatus = 404\nwhen = [{ at = \"/code\", equals = \"gone\" }]\n\
         kind = \"conflict\"\nmessage = \"x\"",
        "`errors.1`: the rule never applies: `errors.0` covers its answers",
    ),
    (
        "[user]",
        "[[doctor]]\ncheck = \"x\"\nrequest = { origin = \"url\", path = [] }\nfix = \"x\"\n§calls = [\"auth\"]\n[user]",
        "`doctor.0.calls`: there is no call `auth`",
    ),
    // Users and conditions.
    ("email = \"/email\"", "email = \"email\"", "`user.email`: `email` is not a JSON pointer"),
    ("email = \"/email\"", "email = { at = \"/emails\", index = true }", "`index` needs `where`"),
    ("place = \"/place\"", "place = \"/{title}\"", "has another type"),
    (
        "[[errors]]\nstatus = 404\nwhen = [{ at = \"/code\", equals = \"gone\" }]",
        "§[[errors]]\nstatus = 404",
        "`errors.0`: a gateway can send the status as well",
    ),
    ("equals = \"gone\"", "equals = \"gone\", present = true", "one of `equals`"),
    ("status = 404", "status = 404\ncall = \"remove\"", "there is no call `remove`"),
    ("user = \"\"", "user = \"\"\ncannot_contain = [\"x\"]", "`calls.get_by_id.cannot_contain`: only searches have"),
    (
        "[calls.delete]",
        "[calls.delete]\nif_absent = { origin = \"url\", path = [\"me\"] }",
        "`calls.delete.if_absent`: only reads have",
    ),
    (
        "user = \"\"",
        "user = \"\"\nif_absent = { origin = \"url\", path = [\"{id}\"] }",
        "`calls.get_by_id.if_absent.path`: `{id}` is not there",
    ),
    ("path = [\"flows\"]", "path = [\"flows\"], custom_method = \"a/b\"", "a custom method has letters only"),
    ("equals = \"gone\"", "starts_with = \"g\", contains = \"o\"", "one of `equals`"),
    ("equals = \"gone\"", "and_term = \"{key}\"", "`errors.0.when.0.and_term`: the secret `key` belongs into `[auth]`"),
    ("equals = \"gone\"", "present = true, or_null = true", "`or_null` or `present`, not both"),
    // Requests without side effects.
    (
        "request = { origin = \"url\", path = [\"users\", \"{id}\"] }",
        "request = { method = \"DELETE\", origin = \"url\", path = [\"users\", \"{id}\"] }",
        "`calls.get_by_id.request.method`: the request must change nothing",
    ),
    (
        "user = \"\"",
        "user = \"\"\nif_absent = { method = \"PUT\", origin = \"url\", path = [\"me\"] }",
        "`calls.get_by_id.if_absent.method`: the request must change nothing",
    ),
    (
        "[user]",
        "[[doctor]]\ncheck = \"x\"\n§request = { method = \"PATCH\", origin = \"url\", path = [] }\nfix = \"x\"\n[user]",
        "`doctor.0.request.method`: the request must change nothing",
    ),
    // Who can write the customer.
    (
        "email = \"/email\"",
        "email = \"/email\"\ncustomer_protected = \" \"",
        "`user.customer_protected`: the reason is empty",
    ),
    ("customer = \"/{field}\"", "customer_protected = \"x\"", "`user.customer_protected`: add `customer`"),
    (
        "[user]",
        "[[doctor]]\ncheck = \"x\"\nrequest = { origin = \"url\", path = [] }\nfix = \"x\"\n§authority = true\n[user]",
        "add `expect`",
    ),
    (
        "[user]",
        "[[doctor]]\ncheck = \"x\"\nrequest = { origin = \"url\", path = [] }\nfix = \"x\"\n§authority = true\n\
         expect = [{ at = \"\", present = true }]\n[user]\ncustomer_protected = \"x\"",
        "one of them shows who can write the customer",
    ),
    // Federation.
    (
        "[user]",
        "[federation]\norigin = \"url\"\nclient_id = \"title\"\n[user]",
        "`client_id` and `client_secret` belong together",
    ),
    ("[user]", "[federation]\norigin = \"url\"\n§scopes = [\"email\"]\n[user]", "the scopes lack `openid`"),
    (
        "[user]",
        "[federation]\n§origin = \"title\"\n[user]",
        "`federation.origin`: the setting `title` has another type",
    ),
    (
        "[user]",
        "[federation]\norigin = \"url\"\n§end_session = { origin = \"url\", path = [\"{session}\"] }\n[user]",
        "a login has an id with `session_claim` only",
    ),
    ("\"users\", \"{id}\"] }\nuser", "\"users\", \"{session}\"] }\nuser", "`{session}` is not there"),
    // The stage.
    (
        "[[errors]]",
        "[stage]\ncreate = { method = \"POST\", origin = \"url\", path = [] }\nid = \"/id\"\n\
         §controls = { wrong_key = { key = \"x\" } }\n[[errors]]",
        "`stage.controls.wrong_key`: there is no control `wrong_key`",
    ),
    (
        "[[errors]]",
        "[stage]\ncreate = { method = \"POST\", origin = \"url\", path = [] }\nid = \"/id\"\n\
         §controls = { wrong_secret = { password = \"x\" } }\n[[errors]]",
        "`stage.controls.wrong_secret.password`: there is no setting `password`",
    ),
    (
        "[[errors]]",
        "[stage]\ncreate = { method = \"POST\", origin = \"url\", path = [] }\nid = \"/id\"\n\
         §not_applicable = { no_emails = \"x\" }\n[[errors]]",
        "`stage.not_applicable.no_emails`: the suite has no need `no_emails`",
    ),
    // Short and long forms.
    ("email = \"/email\"", "email = { at = \"/email\", were = {} }", "unknown field `were`"),
    ("email = \"/email\"", "email = 1", "expected a text, or a table"),
    ("email = \"/email\"", "blocked = { at = \"/x\" }", "unknown field `at`"),
    ("email = \"/email\"", "blocked = { value = \"/x\", tru_if = [1] }", "unknown field `tru_if`"),
    ("email = \"/email\"", "create_time = { value = \"/x\", format = \"days\" }", "unknown variant `days`"),
    ("email = \"/email\"", "create_time = { value = \"x\" }", "`user.create_time`: `x` is not a JSON pointer"),
];

#[test]
fn good_definitions_are_accepted() {
    assert!(Definition::parse(GOOD).is_ok(), "{:?}", Definition::parse(GOOD).err());
    let definitions = catalog::names().map(|name| (name, catalog::find(name).unwrap()));
    for (name, text) in definitions.chain([("scaffold", catalog::SCAFFOLD)]) {
        let definition = Definition::parse(text);
        assert!(definition.is_ok(), "{name}: {:?}", definition.err());
    }
}

#[test]
fn each_mistake_is_located() {
    assert!(MISTAKES.len() >= 40);
    for (good, bad, part) in MISTAKES {
        let text = with_mistake(good, bad);
        let line = text.lines().position(|line| line.contains(MARK)).unwrap() + 1;
        let problems = Definition::parse(&text.replace(MARK, "")).map(|_| ()).expect_err(bad);
        let shown: Vec<String> = problems.iter().map(ToString::to_string).collect();
        let start = format!("line {line}: ");
        let is_located = shown.iter().any(|problem| problem.starts_with(&start) && problem.contains(part));
        assert!(is_located, "{bad:?} in line {line}: {shown:?}");
    }
}

/// Returns the good definition with a mistake, and the mark in its line: where `bad` has it, or at the first difference.
fn with_mistake(good: &str, bad: &str) -> String {
    assert!(GOOD.contains(good), "the good definition lacks {good:?}");
    let text = GOOD.replacen(good, bad, 1);
    if text.contains(MARK) {
        return text;
    }
    let same = text.bytes().zip(GOOD.bytes()).take_while(|(own, other)| own == other).count();
    format!("{}{MARK}{}", &text[..same], &text[same..])
}

#[test]
fn definitions_of_the_catalog_are_short() {
    for name in catalog::names() {
        let lines = catalog::find(name).unwrap().lines().count();
        assert!(lines <= 100, "{name} has {lines} lines");
    }
}
