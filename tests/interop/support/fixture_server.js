// An MCP server with the fixtures that the conformance suite asks for, on the official TypeScript SDK, in both eras.
//
// `node fixture_server.js http [PORT]` serves Streamable HTTP on loopback and says where in one JSON line; the legacy
// era has sessions with resumable streams, the modern one has none. `node fixture_server.js stdio` serves one client
// on standard input and output, in the era of its first message; `stdio-modern` refuses the legacy era. Each ends when
// its standard input does.

import { createServer } from "node:http";
import { randomBytes, randomUUID } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { toNodeHandler } from "@modelcontextprotocol/node";
import {
  CLIENT_CAPABILITIES_META_KEY,
  McpServer,
  ResourceTemplate,
  WebStandardStreamableHTTPServerTransport,
  acceptedContent,
  createMcpHandler,
  createRequestStateCodec,
  fromJsonSchema,
  hostHeaderValidationResponse,
  inputRequired,
  isLegacyRequest,
  localhostAllowedHostnames,
  localhostAllowedOrigins,
  originValidationResponse,
} from "@modelcontextprotocol/server";
import { serveStdio } from "@modelcontextprotocol/server/stdio";

const PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==";
const SILENCE = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA=";
const codec = createRequestStateCodec({ key: randomBytes(32) });

/** How many calls of `count_slowly` were given up by their clients, in this process. */
let abandoned = 0;

const text = (...lines) => ({ content: lines.map((line) => ({ type: "text", text: line })) });
const embedded = (uri, mimeType, content) => ({ type: "resource", resource: { uri, mimeType, text: content } });
const image = { type: "image", data: PIXEL, mimeType: "image/png" };
const object = (properties, required = Object.keys(properties)) => ({ type: "object", properties, required });
const string = { type: "string" };
const none = { type: "object", properties: {} };

const ask = (message, properties, required) =>
  inputRequired.elicit({ message, requestedSchema: object(properties, required) });
const sample = (prompt, maxTokens = 50) =>
  inputRequired.createMessage({ messages: [{ role: "user", content: { type: "text", text: prompt } }], maxTokens });
const answers = (context) => context.mcpReq.inputResponses ?? {};
const taken = (context, key) => acceptedContent(context.mcpReq.inputResponses, key);
const answered = (answer) => `action=${answer.action}, content=${JSON.stringify(answer.content ?? {})}`;

/** A server for one connection, session or request. `changed` tells other streams of a change of lists. */
function fixtures(changed) {
  const server = new McpServer(
    { name: "keyward-interop-fixtures", version: "1.0.0" },
    {
      capabilities: {
        tools: { listChanged: true },
        resources: { subscribe: true, listChanged: true },
        prompts: { listChanged: true },
        logging: {},
        completions: {},
      },
      requestState: { verify: codec.verify },
      cacheHints: { "tools/list": { ttlMs: 1_000, cacheScope: "private" } },
    },
  );
  const tool = (name, handler, { schema = none, readOnly = false } = {}) =>
    server.registerTool(
      name,
      { description: `Fixture ${name}`, inputSchema: fromJsonSchema(schema), annotations: { readOnlyHint: readOnly } },
      handler,
    );

  tool("test_simple_text", () => text("This is a simple text response for testing."), { readOnly: true });
  tool("test_image_content", () => ({ content: [image] }));
  tool("test_audio_content", () => ({ content: [{ type: "audio", data: SILENCE, mimeType: "audio/wav" }] }));
  tool("test_embedded_resource", () => ({
    content: [embedded("test://embedded-resource", "text/plain", "This is an embedded resource content.")],
  }));
  tool("test_multiple_content_types", () => ({
    content: [
      { type: "text", text: "Multiple content types test:" },
      image,
      embedded("test://mixed-content-resource", "application/json", '{"test":"data","value":123}'),
    ],
  }));
  tool("test_error_handling", () => {
    throw new Error("This tool intentionally returns an error for testing");
  });
  tool("json_schema_2020_12_tool", (input) => text(JSON.stringify(input)), {
    schema: {
      $schema: "https://json-schema.org/draft/2020-12/schema",
      ...object({
        name: string,
        address: { $ref: "#/$defs/address" },
        contactMethod: { type: "string", enum: ["phone", "email"] },
        phone: string,
        email: string,
      }, []),
      $defs: { address: { $anchor: "addressDef", type: "object", properties: { street: string, city: string } } },
      allOf: [{ anyOf: [{ required: ["phone"] }, { required: ["email"] }] }],
      if: { properties: { contactMethod: { const: "phone" } }, required: ["contactMethod"] },
      then: { required: ["phone"] },
      else: { required: ["email"] },
      additionalProperties: false,
    },
  });
  tool("test_mirrored_header", ({ region }) => text(`region ${region}`), {
    schema: object({ region: { type: "string", "x-mcp-header": "Region" } }),
  });

  tool("test_tool_with_logging", async (_input, { mcpReq }) => {
    for (const step of ["Tool execution started", "Tool processing data", "Tool execution completed"]) {
      await mcpReq.log("info", step);
      await pause(50);
    }
    return text("Tool with logging executed successfully");
  });
  tool("test_logging_tool", async (_input, { mcpReq }) => {
    await mcpReq.log("info", "The tool was called");
    return text("Logged");
  });
  const count = async ({ mcpReq }, steps, waitMs) => {
    const progressToken = mcpReq._meta?.progressToken;
    for (let step = 0; step <= steps; step += 1) {
      if (mcpReq.signal.aborted) return false;
      const params = { progressToken, progress: (step * 100) / steps, total: 100 };
      if (progressToken !== undefined) await mcpReq.notify({ method: "notifications/progress", params });
      await pause(waitMs);
    }
    return true;
  };
  tool("test_tool_with_progress", async (_input, context) => {
    await count(context, 2, 50);
    return text("Counted to 100");
  });
  tool("count_slowly", async ({ steps, wait_ms: waitMs }, context) => {
    context.mcpReq.signal.addEventListener("abort", () => (abandoned += 1), { once: true });
    return text((await count(context, steps, waitMs)) ? `Counted ${steps} steps` : "Given up");
  }, { schema: object({ steps: { type: "integer" }, wait_ms: { type: "integer" } }) });
  tool("count_abandoned", () => text(`${abandoned}`), { readOnly: true });
  tool("test_reconnection", async (_input, context) => {
    context.http?.closeSSE?.();
    await pause(100);
    return text("Reconnection test completed");
  });

  tool("test_sampling", ({ prompt }, context) => {
    const { reply } = answers(context);
    return reply === undefined
      ? inputRequired({ inputRequests: { reply: sample(prompt, 100) } })
      : text(`LLM response: ${JSON.stringify(reply.content)}`);
  }, { schema: object({ prompt: string }) });
  const elicitation = (name, message, properties, { schema = none, required = [] } = {}) =>
    tool(name, (input, context) => {
      const { answer } = answers(context);
      if (answer === undefined) {
        return inputRequired({ inputRequests: { answer: ask(input.message ?? message, properties, required) } });
      }
      return text(`Elicitation completed: ${answered(answer)}`);
    }, { schema });
  elicitation("test_elicitation", "", { username: string, email: string }, { schema: object({ message: string }) });
  elicitation("test_elicitation_sep1034_defaults", "Please check these values", {
    name: { type: "string", default: "John Doe" },
    age: { type: "integer", default: 30 },
    score: { type: "number", default: 95.5 },
    status: { type: "string", enum: ["active", "inactive", "pending"], default: "active" },
    verified: { type: "boolean", default: true },
  });
  const titled = (prefix, titles) => titles.map((title, index) => ({ const: `${prefix}${index + 1}`, title }));
  elicitation("test_elicitation_sep1330_enums", "Please choose", {
    untitledSingle: { type: "string", enum: ["option1", "option2", "option3"] },
    titledSingle: { type: "string", oneOf: titled("value", ["First Option", "Second Option", "Third Option"]) },
    legacyEnum: { type: "string", enum: ["opt1", "opt2", "opt3"], enumNames: ["Option One", "Option Two", "Option Three"] },
    untitledMulti: { type: "array", items: { type: "string", enum: ["option1", "option2", "option3"] } },
    titledMulti: { type: "array", items: { anyOf: titled("value", ["First Choice", "Second Choice", "Third Choice"]) } },
  });
  tool("test_streaming_elicitation", async (_input, context) => {
    const answer = taken(context, "answer");
    if (answer !== undefined) return text(JSON.stringify(answer));
    await context.mcpReq.log("info", "About to ask");
    return inputRequired({ inputRequests: { answer: ask("Please answer", { answer: string }) } });
  });

  tool("test_missing_capability", (_input, context) => {
    const { reply } = answers(context);
    return reply === undefined ? inputRequired({ inputRequests: { reply: sample("Anything") } }) : text("The client can sample");
  });
  tool("test_trigger_tool_change", () => {
    changed("tools", server);
    return text("Told");
  });
  tool("test_trigger_prompt_change", () => {
    changed("prompts", server);
    return text("Told");
  });

  tool("test_input_required_result_elicitation", (_input, context) => {
    const { name } = taken(context, "user_name") ?? {};
    if (typeof name === "string") return text(`Hello, ${name}!`);
    return inputRequired({ inputRequests: { user_name: ask("What is your name?", { name: string }) } });
  });
  tool("test_input_required_result_sampling", (_input, context) => {
    const reply = answers(context).capital_question;
    if (reply !== undefined) return text(JSON.stringify(reply.content));
    return inputRequired({ inputRequests: { capital_question: sample("What is the capital of France?", 100) } });
  });
  tool("test_input_required_result_list_roots", (_input, context) => {
    const { client_roots: known } = answers(context);
    if (known !== undefined) return text(JSON.stringify(known.roots));
    return inputRequired({ inputRequests: { client_roots: inputRequired.listRoots() } });
  });
  const confirm = () => ask("Please confirm", { ok: { type: "boolean" } });
  for (const name of ["test_input_required_result_request_state", "test_input_required_result_tampered_state"]) {
    tool(name, async (_input, context) => {
      const ok = taken(context, "confirm") !== undefined && context.mcpReq.requestState()?.of === name;
      if (ok) return text("state-ok");
      return inputRequired({ inputRequests: { confirm: confirm() }, requestState: await codec.mint({ of: name }, context) });
    });
  }
  tool("test_input_required_result_multiple_inputs", async (_input, context) => {
    const given = answers(context);
    if (given.user_name && given.greeting && given.client_roots) return text("All three arrived");
    return inputRequired({
      inputRequests: {
        user_name: ask("What is your name?", { name: string }),
        greeting: sample("Generate a greeting"),
        client_roots: inputRequired.listRoots(),
      },
      requestState: await codec.mint({ of: "multiple" }, context),
    });
  });
  tool("test_input_required_result_multi_round", async (_input, context) => {
    const { name } = context.mcpReq.requestState() ?? {};
    const first = taken(context, "step1");
    const second = taken(context, "step2");
    if (name !== undefined && second !== undefined) return text(`${name} likes ${second.color}`);
    const [key, request, state] =
      first === undefined
        ? ["step1", ask("Step 1: What is your name?", { name: string }), { round: 1 }]
        : ["step2", ask("Step 2: What is your favorite color?", { color: string }), { round: 2, name: first.name }];
    return inputRequired({ inputRequests: { [key]: request }, requestState: await codec.mint(state, context) });
  });
  tool("test_input_required_result_capabilities", (_input, context) => {
    if (Object.keys(answers(context)).length > 0) return text("Thank you");
    const able = context.mcpReq.envelope?.[CLIENT_CAPABILITIES_META_KEY] ?? {};
    const inputRequests = {};
    if (able.sampling) inputRequests.greeting = sample("Generate a greeting");
    if (able.elicitation) inputRequests.user_name = ask("What is your name?", { name: string });
    return Object.keys(inputRequests).length > 0 ? inputRequired({ inputRequests }) : text("Nothing can be asked");
  });

  const still = (uri, mimeType, body) =>
    server.registerResource(uri.slice("test://".length), uri, { mimeType }, () => ({ contents: [{ uri, mimeType, ...body }] }));
  still("test://static-text", "text/plain", { text: "This is the content of the static text resource." });
  still("test://static-binary", "image/png", { blob: PIXEL });
  still("test://watched-resource", "text/plain", { text: "Watched resource content" });
  const template = new ResourceTemplate("test://template/{id}/data", { list: undefined });
  server.registerResource("template", template, { mimeType: "application/json" }, (uri, { id }) => ({
    contents: [
      {
        uri: uri.href,
        mimeType: "application/json",
        text: JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` }),
      },
    ],
  }));
  server.server.setRequestHandler("resources/subscribe", () => ({}));
  server.server.setRequestHandler("resources/unsubscribe", () => ({}));
  server.server.setRequestHandler("completion/complete", () => ({ completion: { values: ["paris"], total: 1, hasMore: false } }));

  const said = (content) => ({ messages: [{ role: "user", content }] });
  const prompt = (name, handler, argsSchema) =>
    server.registerPrompt(name, { description: `Fixture ${name}`, ...(argsSchema && { argsSchema }) }, handler);
  prompt("test_simple_prompt", () => said({ type: "text", text: "This is a simple prompt for testing." }));
  prompt("test_prompt_with_image", () => said(image));
  prompt(
    "test_prompt_with_arguments",
    ({ arg1, arg2 }) => said({ type: "text", text: `Prompt with arguments: arg1='${arg1}', arg2='${arg2}'` }),
    fromJsonSchema(object({ arg1: string, arg2: string })),
  );
  prompt(
    "test_prompt_with_embedded_resource",
    ({ resourceUri }) => said(embedded(resourceUri, "text/plain", "Embedded resource content for testing.")),
    fromJsonSchema(object({ resourceUri: string })),
  );
  prompt("test_input_required_result_prompt", (context) => {
    const given = taken(context, "user_context");
    if (given !== undefined) return said({ type: "text", text: `Context: ${given.context}` });
    return inputRequired({
      inputRequests: { user_context: ask("What context should the prompt use?", { context: string }) },
    });
  });
  return server;
}

/** Tells the client of this very connection. */
function tellOwn(what, server) {
  if (what === "tools") server.sendToolListChanged();
  else server.sendPromptListChanged();
}

/** Keeps the events of a session's streams, so that a client can come back for what it missed. */
function eventStore() {
  const events = [];
  return {
    async storeEvent(streamId, message) {
      events.push({ streamId, message });
      return `${events.length}`;
    },
    async getStreamIdForEventId(eventId) {
      return events[Number(eventId) - 1]?.streamId;
    },
    async replayEventsAfter(eventId, { send }) {
      const streamId = events[Number(eventId) - 1]?.streamId;
      for (let index = Number(eventId); index < events.length; index += 1) {
        const event = events[index];
        if (event.streamId === streamId && event.message.method === undefined) await send(`${index + 1}`, event.message);
      }
      return streamId;
    },
  };
}

async function serveHttp(port) {
  const modern = createMcpHandler(
    () => fixtures((what) => (what === "tools" ? modern.notify.toolsChanged() : modern.notify.promptsChanged())),
    { legacy: "reject" },
  );
  const sessions = new Map();

  async function legacy(request) {
    const id = request.headers.get("mcp-session-id");
    if (id !== null) {
      const session = sessions.get(id);
      return session ? session.handleRequest(request) : Response.json(unknownSession, { status: 404 });
    }
    const transport = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      eventStore: eventStore(),
      retryInterval: 500,
      onsessioninitialized: (name) => void sessions.set(name, transport),
      onsessionclosed: (name) => void sessions.delete(name),
    });
    await fixtures(tellOwn).connect(transport);
    return transport.handleRequest(request);
  }
  const unknownSession = { jsonrpc: "2.0", id: null, error: { code: -32001, message: "Session not found" } };

  async function answer(request) {
    const stranger =
      hostHeaderValidationResponse(request, localhostAllowedHostnames()) ??
      originValidationResponse(request, localhostAllowedOrigins());
    if (stranger) return stranger;
    return (await isLegacyRequest(request)) ? legacy(request) : modern.fetch(request);
  }

  const server = createServer(toNodeHandler({ fetch: answer }));
  server.listen(port, "127.0.0.1", () => {
    console.log(JSON.stringify({ url: `http://127.0.0.1:${server.address().port}/mcp` }));
  });
  process.stdin.resume().on("end", () => process.exit(0));
}

const [kind, port = "0"] = process.argv.slice(2);
if (kind === "stdio") serveStdio(() => fixtures(tellOwn));
else if (kind === "stdio-modern") serveStdio(() => fixtures(tellOwn), { legacy: "reject" });
else if (kind === "http") await serveHttp(Number(port));
else throw new Error("say http, stdio or stdio-modern");
