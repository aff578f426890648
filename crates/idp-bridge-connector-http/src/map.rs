//! The conversion of a product's users.

use std::collections::BTreeMap;
use std::sync::Arc;

use idp_bridge_core::jiff::{SignedDuration, Timestamp};
use idp_bridge_core::{Clock, ConnectorContext, Email, Error, ErrorKind, Result, StoredUser, UserId, UserRecord};
use serde_json::Value;

use crate::definition::{Definition, FlagField, TimeField, TimeFormat};
use crate::needed::Needed;
use crate::select::{Selection, Selector, as_text};
use crate::settings::Settings;
use crate::values::Detail;

/// The places of a user's fields in a response.
#[derive(Debug)]
pub(crate) struct BoundUserMap {
    id: Selection,
    email: Option<Selection>,
    customer: Option<Selection>,
    email_verified: Option<Flag>,
    blocked: Option<Flag>,
    create_time: Option<Time>,
    update_time: Option<Time>,
    login_time: Option<Time>,
    logins_count: Option<Selection>,
    detail: BTreeMap<String, Selection>,
    /// For the conditions of people, which all tenants share.
    definition: Arc<Definition>,
    settings: Arc<Settings>,
    clock: Arc<dyn Clock>,
}

#[derive(Debug)]
struct Flag {
    value: Selection,
    true_if: Vec<Value>,
    if_present: bool,
    in_future: bool,
    not: bool,
    default: Option<bool>,
}

#[derive(Debug)]
struct Time {
    value: Selection,
    format: TimeFormat,
}

impl BoundUserMap {
    /// Fills in the settings.
    pub(crate) fn new(
        definition: &Arc<Definition>,
        settings: &Arc<Settings>,
        context: &ConnectorContext,
    ) -> Result<Self> {
        let map = &definition.user;
        let bind = |selector: &Selector| selector.bind(&|name| settings.text(name)).map_err(Error::misconfigured);
        let optional = |selector: &Option<Selector>| selector.as_ref().map(bind).transpose();
        let flag = |field: &Option<FlagField>| -> Result<Option<Flag>> {
            field.as_ref().map(|field| Flag::new(field, bind)).transpose()
        };
        let time = |field: &Option<TimeField>| -> Result<Option<Time>> {
            field.as_ref().map(|field| Time::new(field, bind)).transpose()
        };
        Ok(Self {
            id: bind(&map.id)?,
            email: optional(&map.email)?,
            customer: optional(&map.customer)?,
            email_verified: flag(&map.email_verified)?,
            blocked: flag(&map.blocked)?,
            create_time: time(&map.create_time)?,
            update_time: time(&map.update_time)?,
            login_time: time(&map.login_time)?,
            logins_count: optional(&map.logins_count)?,
            detail: map.detail.iter().map(|(name, own)| Ok((name.clone(), bind(own)?))).collect::<Result<_>>()?,
            definition: Arc::clone(definition),
            settings: Arc::clone(settings),
            clock: Arc::clone(&context.clock),
        })
    }

    /// Returns the parts to parse of a user.
    pub(crate) fn needed(&self) -> Needed {
        let flags = [&self.email_verified, &self.blocked].into_iter().flatten().map(|flag| &flag.value);
        let times = [&self.create_time, &self.update_time, &self.login_time].into_iter().flatten();
        let texts = [&self.email, &self.customer, &self.logins_count].into_iter().flatten();
        let times = times.map(|time| &time.value);
        let mut needed = Needed::default();
        let selections = [&self.id].into_iter().chain(flags).chain(times).chain(texts).chain(self.detail.values());
        selections.for_each(|selection| selection.add_to(&mut needed));
        self.definition.user.not_a_person.iter().for_each(|check| needed.add_check(check, &self.settings));
        needed
    }

    /// Converts a user. A value that the bridge cannot use is left out; an unusable id is an `InvalidResponse`.
    pub(crate) fn convert(&self, user: &Value) -> Result<StoredUser<Detail>> {
        let unusable =
            || Error::upstream(ErrorKind::InvalidResponse, "the product returned a user with an unusable id");
        let id = self.id.text(user, None).and_then(|id| UserId::new(id).ok()).ok_or_else(unusable)?;
        let email = self.email.as_ref().and_then(|own| Email::new(own.text(user, None)?).ok());
        let own = email.as_ref().map(|email| email.as_str());
        let flag = |flag: &Option<Flag>| flag.as_ref().and_then(|flag| flag.read(user, own, &*self.clock));
        let time = |time: &Option<Time>| time.as_ref().and_then(|time| time.read(user, own));
        let record = UserRecord {
            create_time: time(&self.create_time),
            update_time: time(&self.update_time),
            login_time: time(&self.login_time),
            logins_count: self.logins_count.as_ref().and_then(|count| count.text(user, own)?.parse().ok()),
            email_verified: flag(&self.email_verified),
            blocked: flag(&self.blocked),
            email: email.clone(),
            ..UserRecord::new(id)
        };
        let detail = self.detail.iter().filter_map(|(name, place)| Some((name.clone(), place.text(user, own)?)));
        let mut stored = StoredUser::new(record, detail.collect()).with_customers(self.customers(user, own));
        let conditions = &self.definition.user.not_a_person;
        stored.is_person = !conditions.iter().any(|condition| condition.holds(user, &self.settings, own));
        Ok(stored)
    }

    fn customers(&self, user: &Value, own_email: Option<&str>) -> Vec<String> {
        let Some(found) = self.customer.as_ref().and_then(|place| place.find(user, own_email)) else {
            return Vec::new();
        };
        match &*found {
            Value::Array(values) => values.iter().filter_map(as_text).filter(|text| !text.is_empty()).collect(),
            value => as_text(value).filter(|text| !text.is_empty()).into_iter().collect(),
        }
    }
}

impl Flag {
    fn new(field: &FlagField, bind: impl Fn(&Selector) -> Result<Selection>) -> Result<Self> {
        let value = bind(&field.selector())?;
        Ok(match field {
            FlagField::Text(_) => {
                Self { value, true_if: Vec::new(), if_present: false, in_future: false, not: false, default: None }
            }
            FlagField::Table(table) => Self {
                value,
                true_if: table.true_if.clone(),
                if_present: table.if_present,
                in_future: table.in_future,
                not: table.not,
                default: table.default,
            },
        })
    }

    fn read(&self, user: &Value, own_email: Option<&str>, clock: &dyn Clock) -> Option<bool> {
        let found = self.value.find(user, own_email);
        if self.if_present {
            return Some(found.is_some() != self.not);
        }
        if self.in_future {
            let time: Option<Timestamp> = found.and_then(|value| value.as_str()?.parse().ok());
            return Some(time.is_some_and(|time| time > clock.now()) != self.not);
        }
        let Some(found) = found else { return self.default };
        let flag = if self.true_if.is_empty() { found.as_bool()? } else { self.true_if.contains(&*found) };
        Some(flag != self.not)
    }
}

impl Time {
    fn new(field: &TimeField, bind: impl Fn(&Selector) -> Result<Selection>) -> Result<Self> {
        let format = match field {
            TimeField::Text(_) => TimeFormat::Rfc3339,
            TimeField::Table(table) => table.format,
        };
        Ok(Self { value: bind(&field.selector())?, format })
    }

    fn read(&self, user: &Value, own_email: Option<&str>) -> Option<Timestamp> {
        let text = self.value.text(user, own_email)?;
        if self.format == TimeFormat::Rfc3339 {
            return text.parse().ok();
        }
        let number: i64 = text.parse().ok().filter(|number| *number > 0)?;
        match self.format {
            TimeFormat::Rfc3339 => None,
            TimeFormat::Seconds => Timestamp::from_second(number).ok(),
            TimeFormat::Milliseconds => Timestamp::from_millisecond(number).ok(),
            TimeFormat::Ticks => {
                let since_1601 =
                    SignedDuration::new(number / 10_000_000, i32::try_from(number % 10_000_000).ok()? * 100);
                TICKS_EPOCH.parse::<Timestamp>().ok()?.checked_add(since_1601).ok()
            }
        }
    }
}

/// The time from which Windows counts.
const TICKS_EPOCH: &str = "1601-01-01T00:00:00Z";
