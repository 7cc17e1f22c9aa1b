use super::*;
use crate::entropy::SeededEntropy;
use crate::keys::{JWKS_MAX_AGE, KeyRing};
use crate::secret::MasterSecret;

const START: Timestamp = Timestamp::from_unix_seconds(1_790_000_000);

/// Keys in a store, as the operations would keep them.
struct Keys {
    records: Vec<SigningKey>,
    policy: RotationPolicy,
    sealer: Sealer,
    entropy: SeededEntropy,
}

impl Keys {
    fn none() -> Self {
        let entropy = SeededEntropy::new(1);
        let sealer = Sealer::new(&MasterSecret::generate(&entropy));
        Self { records: vec![], policy: RotationPolicy::default(), sealer, entropy }
    }

    fn started() -> Self {
        let mut keys = Self::none();
        keys.tick(START);
        keys
    }

    fn apply(&mut self, steps: &[Step], now: Timestamp) {
        for change in carry_out(&self.records, steps, now, &self.sealer, &self.entropy) {
            match change {
                Change::Put(key) => {
                    self.records.retain(|old| old.id != key.id);
                    self.records.push(key);
                }
                Change::Remove(id) => self.records.retain(|old| old.id != id),
            }
        }
    }

    fn tick(&mut self, now: Timestamp) {
        let steps = plan(&self.records, now, &self.policy);
        self.apply(&steps, now);
        assert_eq!(plan(&self.records, now, &self.policy), [], "planning again changes nothing");
        KeyRing::build(&self.records, &self.sealer).expect("a plan that is carried out makes a ring");
    }

    fn in_state(&self, name: &str) -> Vec<KeyId> {
        self.records.iter().filter(|key| key.state.name() == name).map(|key| key.id).collect()
    }

    fn only(&self, name: &str) -> KeyId {
        let keys = self.in_state(name);
        assert_eq!(keys.len(), 1, "{name}: {keys:?}");
        keys[0]
    }
}

#[test]
fn the_first_plan_makes_an_active_and_a_next_key() {
    let mut keys = Keys::none();
    assert_eq!(plan(&[], START, &keys.policy), [Step::Create(FirstState::Active), Step::Create(FirstState::Next)]);
    keys.tick(START);
    assert_ne!(keys.only("active"), keys.only("next"));
}

#[test]
fn a_key_signs_for_ninety_days_and_its_successor_was_published_all_the_time() {
    let mut keys = Keys::started();
    let (first, second) = (keys.only("active"), keys.only("next"));

    keys.tick(START + days(90) - Duration::from_millis(1));
    assert_eq!(keys.only("active"), first);
    keys.tick(START + days(90));
    assert_eq!((keys.only("retired"), keys.only("active")), (first, second));
    assert!(![first, second].contains(&keys.only("next")));
}

#[test]
fn a_retired_key_verifies_longer_than_any_token_it_signed() {
    let mut keys = Keys::started();
    let first = keys.only("active");
    let rotated = START + days(90);
    keys.tick(rotated);
    let ring = KeyRing::build(&keys.records, &keys.sealer).unwrap();

    let last_expiry = rotated + keys.policy.max_token_life;
    assert!(ring.verification_key(first, last_expiry).is_ok());
    assert!(ring.verification_key(first, last_expiry + RETIREMENT_MARGIN).is_err());
}

#[test]
fn a_successor_that_was_published_too_late_waits() {
    let mut keys = Keys::started();
    let next = keys.only("next");
    keys.records.retain(|key| key.id != next);
    let due = START + days(90);
    keys.tick(due);
    let late = keys.only("next");

    keys.tick(due + MIN_PUBLISH_AHEAD - Duration::from_millis(1));
    assert_eq!(keys.only("next"), late);
    keys.tick(due + MIN_PUBLISH_AHEAD);
    assert_eq!(keys.only("active"), late);
}

#[test]
fn a_policy_cannot_publish_later_than_caches_last() {
    assert!(MIN_PUBLISH_AHEAD >= JWKS_MAX_AGE * 12);
    let mut keys = Keys::started();
    keys.policy.publish_ahead = Duration::ZERO;
    assert_eq!(
        rotate_now(&keys.records, START + minutes(59), &keys.policy),
        Err(RotationRefusal::NextTooYoung { wait: minutes(1) })
    );
}

#[test]
fn rotation_by_hand_does_not_wait_for_the_schedule() {
    let mut keys = Keys::started();
    let (first, second) = (keys.only("active"), keys.only("next"));
    let now = START + hours(2);
    let steps = rotate_now(&keys.records, now, &keys.policy).unwrap();
    keys.apply(&steps, now);
    assert_eq!((keys.only("retired"), keys.only("active")), (first, second));

    let refusal = rotate_now(&keys.records, now + minutes(1), &keys.policy).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "the next signing key has not been published for long enough; rotate again in 59 min"
    );
    keys.tick(now + minutes(1));
}

#[test]
fn condemning_the_active_key_promotes_the_next_at_once() {
    let mut keys = Keys::started();
    let (first, second) = (keys.only("active"), keys.only("next"));
    let steps = condemn(&keys.records, first).unwrap();
    keys.apply(&steps, START);

    assert_eq!((keys.only("condemned"), keys.only("active")), (first, second));
    keys.only("next");
    assert_eq!(plan(&keys.records, START, &keys.policy), []);
    assert_eq!(condemn(&keys.records, first), Ok(vec![]), "a condemned key stays condemned");
}

#[test]
fn condemning_an_active_key_without_successor_makes_one() {
    let mut keys = Keys::started();
    let (first, second) = (keys.only("active"), keys.only("next"));
    keys.records.retain(|key| key.id != second);
    let steps = condemn(&keys.records, first).unwrap();
    keys.apply(&steps, START);
    assert_eq!(keys.only("condemned"), first);
    keys.only("active");
    keys.only("next");
}

#[test]
fn condemning_the_other_states_leaves_the_active_key() {
    let mut keys = Keys::started();
    let next = keys.only("next");
    let steps = condemn(&keys.records, next).unwrap();
    keys.apply(&steps, START);
    assert_ne!(keys.only("next"), next);

    keys.tick(START + days(90));
    let (active, retired) = (keys.only("active"), keys.only("retired"));
    let steps = condemn(&keys.records, retired).unwrap();
    assert_eq!(steps, [Step::Condemn(retired)]);
    keys.apply(&steps, START + days(90));
    assert_eq!(keys.only("active"), active);

    let nobody = KeyId::from_bytes([0; 16]);
    assert_eq!(condemn(&keys.records, nobody), Err(RotationRefusal::NoSuchKey(nobody)));
}

#[test]
fn keys_are_forgotten_when_everything_they_signed_is_long_over() {
    let mut keys = Keys::started();
    let (first, second) = (keys.only("active"), keys.only("next"));
    let steps = condemn(&keys.records, first).unwrap();
    keys.apply(&steps, START);
    for day in (0..=396 + 90).step_by(10) {
        keys.tick(START + days(day));
    }
    assert_eq!(keys.in_state("condemned"), []);
    assert!(keys.in_state("retired").contains(&second));
    for day in (500..=1_500).step_by(10) {
        keys.tick(START + days(day));
        assert!(keys.records.len() <= 9, "{:?}", keys.records.len());
    }
}

#[test]
fn a_second_active_key_is_retired() {
    let mut keys = Keys::started();
    let first = keys.only("active");
    keys.apply(&[Step::Create(FirstState::Active)], START + hours(1));
    keys.tick(START + hours(1));
    assert_eq!(keys.only("retired"), first);
    keys.only("active");
}

#[test]
fn a_clock_that_was_set_back_rotates_nothing() {
    let keys = Keys::started();
    assert_eq!(plan(&keys.records, START - days(1_000), &keys.policy), []);
}
