// Every page, by the way that a person takes to it: its route, and how it is opened.

import { readFile } from "node:fs/promises";
import { heading, signIn } from "../support/chromium.js";
import { newApplication } from "../support/client.js";

/** What a browser may look at and is no page of a person: for programs, for machines, or only a way to another. */
const NO_PAGES = [
  "/",
  "/healthz",
  "/healthz/stream",
  "/readyz",
  "/assets/{*path}",
  "/register/{client_id}",
  "/dashboard/api-keys/{id}/use",
  "/dashboard/events.jsonl",
];

/** The routes of all pages, from the table of routes that tests/it/routes.rs compares with the router. */
export async function routesOfPages() {
  const table = await readFile(new URL("../../it/routes.rs", import.meta.url), "utf8");
  const routes = [...table.matchAll(/^    \(GET, "([^"]+)"/gm)].map(([, route]) => route);
  return routes.filter((route) => !NO_PAGES.includes(route) && !route.startsWith("/.well-known/"));
}

/** The pages of a house, for a stranger, for the admin, for a member, and for somebody with a second factor. */
export function pagesOf({ appliance, unfurnished, links, guarded, tools }) {
  const at = (path) => (page) => page.goto(`${appliance.url}${path}`);
  const dashboard = (path) => at(`/dashboard${path}`);
  const follow = (path, ...names) => async (page) => {
    await dashboard(path)(page);
    for (const name of names) await page.getByRole("link", { name }).first().click();
  };
  /** Opens a page, fills fields in by their labels, presses a button, and waits for a text. */
  const send = (open, fields, button, text) => async (page) => {
    await open(page);
    for (const [label, value] of Object.entries(fields)) await page.getByLabel(label, { exact: true }).fill(value);
    await page.getByRole("button", { name: button, exact: true }).click();
    await page.getByText(text).first().waitFor();
  };
  const asked = (application) => async (page) => {
    const asking = await newApplication(appliance.mcpUrl, application);
    await page.goto(await asking.asks());
    await heading(page, /^Allow /);
    asking.close();
  };
  /** Gives the password of somebody who has a second factor. */
  const givePassword = async (page) => {
    await at("/login")(page);
    await signIn(page, guarded);
    await heading(page, "One more step");
  };
  const nowhere = "http://127.0.0.1:1/mcp";

  const stranger = {
    login: ["/login", at("/login")],
    "login-wrong": ["/login", send(at("/login"), { "User name": "ada", Password: "no" }, "Sign in", "do not belong together")],
    "login-signed-out": ["/login", at("/login?done=signed-out")],
    connect: ["/mcp", (page) => page.goto(appliance.mcpUrl)],
    "set-up": ["/setup", (page) => page.goto(unfurnished.setupUrl)],
    "set-up-refused": ["/setup", at("/setup")],
    "second-factor": ["/login/second-factor", givePassword],
    "second-factor-wrong": ["/login/second-factor", send(givePassword, { Code: "000000" }, "Sign in", "This code is not right")],
    invitation: ["/invitation", (page) => page.goto(links.invitation)],
    "invitation-refused": [
      "/invitation",
      send(
        (page) => page.goto(links.invitation),
        { "User name": "ben", Password: "password", "The same password again": "password1" },
        "Create the account",
        "Come in",
      ),
    ],
    "invitation-over": ["/invitation", at("/invitation?secret=none")],
    reset: ["/reset", (page) => page.goto(links.reset)],
    "reset-over": ["/reset", at("/reset?secret=none")],
    "not-found": ["/no-such-page", at("/no-such-page")],
    "authorize-refused": ["/authorize", at("/authorize?client_id=cli_unknown&response_type=code")],
  };

  const token = { "Name": "Picture" };
  const newServer = { Name: "files", URL: nowhere };
  const admin = {
    home: ["/dashboard", dashboard("")],
    "home-notice": ["/dashboard", dashboard("?done=set-up")],
    "tokens-list": ["/dashboard/api-keys", dashboard("/api-keys")],
    "tokens-older": ["/dashboard/api-keys", follow("/api-keys", "Older")],
    "tokens-over": ["/dashboard/api-keys", dashboard("/api-keys?state=ended")],
    "tokens-none": ["/dashboard/api-keys", dashboard("/api-keys?text=zebra")],
    "tokens-new": ["/dashboard/api-keys/new", dashboard("/api-keys/new")],
    "tokens-new-refused": ["/dashboard/api-keys/new", send(dashboard("/api-keys/new"), { Name: "Backup script" }, "Create the token", "already")],
    "tokens-filled-in": [
      "/dashboard/api-keys/new",
      dashboard("/api-keys/new?name=Claude+Code&server=keyward&server=none&scope=mcp:read&expires=14"),
    ],
    "tokens-created": ["/dashboard/api-keys/new", (page) => {
      token.Name = `Picture ${Math.random().toString(36).slice(2)}`;
      return send(dashboard("/api-keys/new"), token, "Create the token", "is ready")(page);
    }],
    "tokens-show": ["/dashboard/api-keys/{id}", follow("/api-keys?text=Backup", "Backup script")],
    "tokens-show-long": ["/dashboard/api-keys/{id}", follow("/api-keys?text=rather+long", /^A rather long/)],
    "tokens-show-found": ["/dashboard/api-keys/{id}", follow("/api-keys?text=paste", "Found in a paste")],
    "tokens-rotate": ["/dashboard/api-keys/{id}/rotate", follow("/api-keys", /^Rotate/)],
    "tokens-rename": ["/dashboard/api-keys/{id}/rename", follow("/api-keys?text=Backup", "Backup script", "Rename")],
    "tokens-revoke": ["/dashboard/api-keys/{id}/revoke", follow("/api-keys", /^Revoke (?!all)/)],
    "tokens-revoke-all": ["/dashboard/api-keys/revoke-all", follow("/api-keys", "Revoke all")],
    "connections-list": ["/dashboard/connections", dashboard("/connections")],
    "connections-narrow": ["/dashboard/connections/{id}/narrow", follow("/connections", /^Lower what Inspector/)],
    "connections-revoke": ["/dashboard/connections/{id}/revoke", follow("/connections", /^Revoke Inspector/)],
    "connections-revoke-all": ["/dashboard/connections/revoke-all", follow("/connections", "Revoke all")],
    access: ["/dashboard/access", dashboard("/access")],
    "access-tokens": ["/dashboard/access", dashboard("/access?what=tokens")],
    "access-nothing": ["/dashboard/access", dashboard("/access?person=nobody")],
    "servers-list": ["/dashboard/servers", dashboard("/servers")],
    "servers-new": ["/dashboard/servers/new", dashboard("/servers/new")],
    "servers-new-all": ["/dashboard/servers/new", async (page) => {
      await dashboard("/servers/new")(page);
      await page.getByText("A credential, the same for all users").click();
      await page.getByText("More: scopes").click();
    }],
    "servers-tested": ["/dashboard/servers/new", send(dashboard("/servers/new"), { Name: "files", URL: tools.url }, "Test the connection", "It works")],
    "servers-tested-in-vain": ["/dashboard/servers/new", send(dashboard("/servers/new"), newServer, "Test the connection", "Nothing listens at")],
    "servers-refused": ["/dashboard/servers/new", send(dashboard("/servers/new"), { ...newServer, Name: "keyward" }, "Add the server", "has that name")],
    "servers-busy": ["/dashboard/servers/{name}", dashboard("/servers/wiki")],
    "servers-retested": ["/dashboard/servers/{name}/test", send(dashboard("/servers/wiki"), {}, "Test the connection", "It works")],
    "servers-out-of-reach": ["/dashboard/servers/{name}", dashboard("/servers/notes")],
    "servers-off": ["/dashboard/servers/{name}", dashboard("/servers/shelved")],
    "servers-built-in": ["/dashboard/servers/{name}", dashboard("/servers/keyward")],
    "servers-program": ["/dashboard/servers/{name}", dashboard("/servers/broken")],
    "servers-program-tested": ["/dashboard/servers/{name}/test", send(dashboard("/servers/broken"), {}, "Test the connection", "Test of the connection")],
    "servers-edit": ["/dashboard/servers/{name}/edit", follow("/servers/wiki", "Change")],
    "servers-remove": ["/dashboard/servers/{name}/remove", follow("/servers/notes", "Remove")],
    "own-key": ["/dashboard/servers/{name}/key", dashboard("/servers/mail/key")],
    "own-key-remove": ["/dashboard/servers/{name}/key/remove", dashboard("/servers/mail/key/remove")],
    activity: ["/dashboard/activity", dashboard("/activity")],
    events: ["/dashboard/events", dashboard("/events")],
    "events-calls": ["/dashboard/events", dashboard("/events?kind=calls&person=demo")],
    "events-nobody": ["/dashboard/events", dashboard("/events?person=nobody&from=2026-01-01")],
    security: ["/dashboard/security", dashboard("/security")],
    "security-refused": [
      "/dashboard/security/password",
      send(
        dashboard("/security"),
        { "Current password": "no", "New password": "password", "The new password again": "passwort" },
        "Change the password",
        "Change your password",
      ),
    ],
    "security-authenticator": ["/dashboard/security/authenticator", async (page) => {
      await follow("/security", "Add an authenticator app")(page);
      await page.getByText("Enter a key instead of scanning").click();
    }],
    "security-authenticator-wrong": [
      "/dashboard/security/authenticator",
      send(dashboard("/security/authenticator"), { "Enter the code that it shows": "000000" }, "Add the app", "This code is not right"),
    ],
    "security-passkey": ["/dashboard/security/passkeys/new", follow("/security", "Add a passkey")],
    sessions: ["/dashboard/security/sessions", dashboard("/security/sessions")],
    "sessions-end": ["/dashboard/security/sessions/{id}/end", follow("/security/sessions", /^End (?!all)/)],
    "sessions-end-others": ["/dashboard/security/sign-out-everywhere", dashboard("/security/sign-out-everywhere")],
    confirm: ["/confirm", at("/confirm")],
    "confirm-wrong": ["/confirm", send(at("/confirm"), { Password: "not this one" }, "Go on", "This is not your password.")],
    "sign-out": ["/logout", at("/logout")],
    "users-list": ["/dashboard/users", dashboard("/users")],
    "users-none": ["/dashboard/users", dashboard("/users?name=nobody")],
    "users-policy": ["/dashboard/users/policy", follow("/users", "Sign-in policy")],
    "users-user": ["/dashboard/users/{id}", follow("/users", "ben")],
    "users-self": ["/dashboard/users/{id}", follow("/users", "demo")],
    "users-long": ["/dashboard/users/{id}", follow("/users", /^a-name-in/)],
    "users-guarded": ["/dashboard/users/{id}", follow("/users", "carol")],
    "users-disabled": ["/dashboard/users/{id}", follow("/users", "grace")],
    "users-disable": ["/dashboard/users/{id}/disable", follow("/users", "ben", "Disable")],
    "users-enable": ["/dashboard/users/{id}/enable", follow("/users", "grace", "Enable")],
    "users-sign-out": ["/dashboard/users/{id}/sign-out", follow("/users", "ben", "Sign out")],
    "users-reset-link": ["/dashboard/users/{id}/reset-link", follow("/users", "carol", "Reset link")],
    "users-reset-link-made": ["/dashboard/users/{id}/reset-link", send(follow("/users", "carol", "Reset link"), {}, "Make the link", "is ready")],
    "users-reset-factors": ["/dashboard/users/{id}/reset-factors", follow("/users", "carol", "Remove")],
    "users-revoke": ["/dashboard/users/{id}/revoke", follow("/users", "demo", /^Revoke Inspector/)],
    "users-revoke-all": ["/dashboard/users/{id}/revoke-all", follow("/users", "demo", "Revoke all")],
    "users-delete": ["/dashboard/users/{id}/delete", follow("/users", "ben", "Delete")],
    "groups-list": ["/dashboard/groups", dashboard("/groups")],
    "groups-group": ["/dashboard/groups/{group}", follow("/groups", "writers")],
    "groups-remove": ["/dashboard/groups/{group}/remove", follow("/groups", /^Remove writers/)],
    "invitations-list": ["/dashboard/invitations", dashboard("/invitations")],
    "invitations-new": ["/dashboard/invitations/new", dashboard("/invitations/new")],
    "invitations-created": ["/dashboard/invitations/new", send(dashboard("/invitations/new"), {}, "Make the link", "is ready")],
    "invitations-revoke": ["/dashboard/invitations/{id}/revoke", follow("/invitations", /^Revoke/)],
    "clients-list": ["/dashboard/clients", dashboard("/clients")],
    "clients-new": ["/dashboard/clients/new", dashboard("/clients/new")],
    "clients-refused": ["/dashboard/clients/new", send(dashboard("/clients/new"), { Name: "Cursor", "Redirect URIs": "javascript:1" }, "Create the client", "New client")],
    "clients-pin": ["/dashboard/clients/pin", dashboard("/clients/pin")],
    "clients-remove": ["/dashboard/clients/remove", follow("/clients", /^Remove Inspector/)],
    "keys-list": ["/dashboard/signing-keys", dashboard("/signing-keys")],
    "keys-condemn": ["/dashboard/signing-keys/{id}/condemn", follow("/signing-keys", /^Condemn/)],
    check: ["/dashboard/check", dashboard("/check")],
    "check-walked": ["/dashboard/check", async (page) => {
      const fields = { "Personal token, for a call": appliance.personalToken };
      await send(dashboard("/check"), fields, "Check", "all")(page);
      await page.getByRole("heading", { name: "Cursor" }).waitFor();
      for (const steps of await page.locator("summary").all()) await steps.click();
      await page.getByText(/it works: \d+ tools/).first().waitFor();
    }],
    "check-findings": ["/dashboard/check", async (page) => {
      await dashboard("/check")(page);
      await page.getByLabel("Server").selectOption({ label: "broken" });
      await page.getByLabel("Personal token, for a call").fill(appliance.personalToken);
      await page.getByRole("button", { name: "Check", exact: true }).click();
      await page.getByText("in the way").first().waitFor();
    }],
    consent: ["/authorize", asked({ name: "Picture of a client" })],
    "consent-document": [
      "/authorize",
      asked({ name: "Claude Code", clientId: "https://claude.ai/oauth/claude-code-client-metadata", host: "localhost" }),
    ],
  };

  const member = {
    "member-home": ["/dashboard", dashboard("")],
    "member-tokens-empty": ["/dashboard/api-keys", dashboard("/api-keys")],
    "member-connections-empty": ["/dashboard/connections", dashboard("/connections")],
    "member-servers": ["/dashboard/servers", dashboard("/servers")],
    "member-server": ["/dashboard/servers/{name}", dashboard("/servers/wiki")],
    "member-own-key": ["/dashboard/servers/{name}/key", dashboard("/servers/mail/key")],
    "member-activity": ["/dashboard/activity", dashboard("/activity")],
    "member-refused": ["/dashboard/users", dashboard("/users")],
  };

  const withFactor = {
    "factor-security": ["/dashboard/security", dashboard("/security")],
    "factor-confirm": ["/confirm", at("/confirm")],
    "factor-remove": ["/dashboard/security/factors/{id}/remove", follow("/security", /^Remove/)],
    "factor-codes-renew": ["/dashboard/security/recovery-codes", follow("/security", "Make new ones")],
  };

  return { givePassword, stranger, admin, member, withFactor };
}
