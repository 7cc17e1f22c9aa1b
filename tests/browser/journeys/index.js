// What people come to Keyward for, told so that any hands can do it.
//
// A journey is given `somebody`: it lets a new person, in a fresh profile, act with the hands of the telling.

import { exportsTheLog, findsOldLines } from "./events.js";
import { firstRun } from "./first_run.js";
import { invitation, otherBrowser, proof } from "./people.js";
import { secondFactor } from "./second_factor.js";
import { ownServer } from "./servers.js";
import { narrowToken, rotation, smallerApp } from "./tokens.js";

export const journeys = {
  "first run: set up, sign in, make, copy, use and revoke a token, connect and revoke a client": firstRun,
  "a token for one server that only reads, found again in the list and revoked": narrowToken,
  "a token is replaced, and the old one works a while": rotation,
  "a connected app may do less": smallerApp,
  "somebody is invited, comes in, and belongs to a group": invitation,
  "an authenticator app and recovery codes": secondFactor,
  "the password is asked for again": proof,
  "another browser is signed out": otherBrowser,
  "a server is tried, added, changed and switched off": ownServer,
  "the log is filtered, and followed to older lines": findsOldLines,
  "the log is exported as it is filtered": exportsTheLog,
};
