//! Which groups are there, and who is in them? Made, described and removed by admins.
//!
//! A change of who is in a group counts at the next request of each of them. Who removes a group takes it from everybody in
//! the same transaction; a rule that still names it then lets nobody in by it.

use crate::account::group::{Group, GroupName, parse_description};
use crate::account::user::User;
use crate::app::App;
use crate::app::error::OperationError;
use crate::app::users::{By, require, sorted};
use crate::event::{Event, EventKind};
use crate::id::UserId;
use crate::store::tables::{GROUPS, USER_NAMES, USERS};
use crate::store::{Reads, Scan, WriteTx};
use std::collections::BTreeMap;

/// Most groups.
pub const MAX_GROUPS: usize = 500;

/// A group and how many are in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupEntry {
    /// The group.
    pub group: Group,
    /// How many users are in it.
    pub members: usize,
}

impl App {
    /// All groups, by name.
    pub fn groups(&self) -> Result<Vec<GroupEntry>, OperationError> {
        self.store.read(|tx| {
            let mut members = BTreeMap::new();
            tx.visit(USERS, Scan::all(), |_, user| {
                for group in user.groups {
                    *members.entry(group).or_insert(0) += 1;
                }
                Ok::<_, OperationError>(())
            })?;
            let groups = tx.scan(GROUPS, Scan::all().limit(MAX_GROUPS))?.into_iter();
            Ok(groups
                .map(|(_, group)| GroupEntry { members: members.remove(&group.name).unwrap_or(0), group })
                .collect())
        })
    }

    /// The names of all groups.
    pub fn group_names(&self) -> Result<Vec<GroupName>, OperationError> {
        self.store.read(|tx| {
            let groups = tx.scan(GROUPS, Scan::all().limit(MAX_GROUPS))?;
            Ok(groups.into_iter().map(|(_, group)| group.name).collect())
        })
    }

    /// One group and the users in it, by name.
    pub fn group(&self, name: &GroupName) -> Result<(Group, Vec<User>), OperationError> {
        self.store.read(|tx| {
            let group = tx.get(GROUPS, name.as_str())?.ok_or(OperationError::NotFound("group"))?;
            let mut members = Vec::new();
            tx.visit(USERS, Scan::all(), |_, user| {
                members.extend(Some(user).filter(|user| user.groups.contains(name)));
                Ok::<_, OperationError>(())
            })?;
            members.sort_by_key(|user| user.name.canonical());
            Ok((group, members))
        })
    }

    /// Makes a group without members.
    pub fn create_group(&self, by: By, name: &GroupName, description: &str) -> Result<(), OperationError> {
        let description = parse_description(description).map_err(OperationError::invalid)?;
        let group = Group { name: name.clone(), description, created_at: self.now() };
        let pen = self.pen();
        self.store.write(move |tx| {
            require(tx, by)?;
            if tx.contains(GROUPS, group.name.as_str())? {
                let text = format!("There is a group called {} already. Choose another name.", group.name);
                return Err(OperationError::NameTaken(text));
            }
            if tx.count(GROUPS, Scan::all())? >= MAX_GROUPS {
                return Err(OperationError::invalid(format!("There are {MAX_GROUPS} groups, which is the most.")));
            }
            pen.write_by(tx, by, Event::of(EventKind::GroupMade).note(group.name.as_str()))?;
            Ok(tx.put(GROUPS, group.name.as_str(), &group)?)
        })?;
        tracing::info!(group = %name, ?by, "group made");
        Ok(())
    }

    /// Gives a group another description.
    pub fn describe_group(&self, by: By, name: &GroupName, description: &str) -> Result<(), OperationError> {
        let description = parse_description(description).map_err(OperationError::invalid)?;
        let (name, pen) = (name.clone(), self.pen());
        self.store.write(move |tx| {
            require(tx, by)?;
            pen.write_by(tx, by, Event::of(EventKind::GroupChanged).note(&format!("{name} has another description")))?;
            let changed = tx.change(GROUPS, name.as_str(), |group: &mut Group| group.description = description)?;
            changed.ok_or(OperationError::NotFound("group"))
        })
    }

    /// Puts the user called `user` into a group.
    pub fn add_to_group(&self, by: By, name: &GroupName, user: &str) -> Result<UserId, OperationError> {
        let (group, user) = (name.clone(), user.trim().to_ascii_lowercase());
        let pen = self.pen();
        let id = self.store.write(move |tx| {
            require(tx, by)?;
            tx.get(GROUPS, group.as_str())?.ok_or(OperationError::NotFound("group"))?;
            let nobody = || OperationError::invalid("Nobody has this user name. Check it under Users.");
            let id = tx.get(USER_NAMES, &user)?.ok_or_else(nobody)?;
            let user = tx.get(USERS, &id)?.ok_or(OperationError::NotFound("user"))?;
            let note = format!("{} is in {group}", user.name);
            pen.write_by(tx, by, Event::of(EventKind::GroupChanged).about(id).note(&note))?;
            let groups = sorted(&[user.groups.as_slice(), &[group]].concat())?;
            tx.put(USERS, &id, &User { groups, ..user })?;
            Ok::<_, OperationError>(id)
        })?;
        self.publish_users(&[id])?;
        tracing::info!(group = %name, user = %id, ?by, "put into a group");
        Ok(id)
    }

    /// Takes a user out of a group.
    pub fn remove_from_group(&self, by: By, name: &GroupName, id: UserId) -> Result<(), OperationError> {
        let (group, pen) = (name.clone(), self.pen());
        self.store.write(move |tx| {
            require(tx, by)?;
            let user = tx.get(USERS, &id)?.ok_or(OperationError::NotFound("user"))?;
            let note = format!("{} is no longer in {group}", user.name);
            pen.write_by(tx, by, Event::of(EventKind::GroupChanged).about(id).note(&note))?;
            leave(tx, &group, id)?.ok_or(OperationError::NotFound("user"))
        })?;
        self.publish_users(&[id])?;
        tracing::info!(group = %name, user = %id, ?by, "taken out of a group");
        Ok(())
    }

    /// Removes a group and takes it from everybody; returns from how many.
    pub fn remove_group(&self, by: By, name: &GroupName) -> Result<usize, OperationError> {
        let (group, pen) = (name.clone(), self.pen());
        let members = self.store.write(move |tx| {
            require(tx, by)?;
            tx.take(GROUPS, group.as_str())?.ok_or(OperationError::NotFound("group"))?;
            let mut members = Vec::new();
            tx.visit(USERS, Scan::all(), |id, user| {
                members.extend(user.groups.contains(&group).then_some(id));
                Ok::<_, OperationError>(())
            })?;
            pen.write_by(tx, by, Event::of(EventKind::GroupRemoved).note(group.as_str()))?;
            members.iter().try_for_each(|id| leave(tx, &group, *id).map(drop))?;
            Ok::<_, OperationError>(members)
        })?;
        self.publish_users(&members)?;
        tracing::info!(group = %name, ?by, members = members.len(), "group removed");
        Ok(members.len())
    }
}

fn leave(tx: &mut WriteTx, group: &GroupName, id: UserId) -> Result<Option<()>, OperationError> {
    Ok(tx.change(USERS, &id, |user: &mut User| user.groups.retain(|own| own != group))?)
}
