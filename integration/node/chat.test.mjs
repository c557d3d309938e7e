// The official OpenAI SDK for Node against a running gateway (GATEWAY=http://host:port): each way it offers to hold a
// conversation, with each wire format behind it.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import OpenAI from "openai";
import { zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";

const client = new OpenAI({ baseURL: `${process.env.GATEWAY}/v1`, maxRetries: 0 });
const user = (content) => [{ role: "user", content }];
const MODELS = {
  openai: "openai/gpt-5.6-luna",
  anthropic: "anthropic/claude-sonnet-5-5",
  gemini: "gemini/gemini-3.8-flash",
  deepseek: "deepseek/deepseek-flash",
  mistral: "mistral/mistral-small-latest",
  groq: "groq/openai/gpt-oss-20b",
};
const weather = {
  type: "function",
  function: {
    name: "weather",
    description: "Tells the weather.",
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  },
};

for (const [kind, model] of Object.entries(MODELS)) {
  describe(kind, () => {
    test("an answer in one piece", async () => {
      const answer = await client.chat.completions.create({ model, messages: user("hello") });
      assert.match(answer.choices[0].message.content, /You said: hello$/);
      assert.equal(answer.choices[0].finish_reason, "stop");
      assert.ok(answer.usage.total_tokens > 0);
    });

    test("a stream", async () => {
      const stream = await client.chat.completions.create({ model, messages: user("hello"), stream: true });
      let text = "";
      const finishes = [];
      for await (const chunk of stream) {
        text += chunk.choices[0].delta.content ?? "";
        if (chunk.choices[0].finish_reason) finishes.push(chunk.choices[0].finish_reason);
      }
      assert.match(text, /You said: hello$/);
      assert.deepEqual(finishes, ["stop"]);
    });

    test("the streaming helper", async () => {
      const stream = client.chat.completions.stream({ model, messages: user("hello"), stream_options: { include_usage: true } });
      let deltas = "";
      stream.on("content", (delta) => (deltas += delta));
      const final = await stream.finalChatCompletion();
      assert.equal(final.choices[0].message.content, deltas);
      assert.match(deltas, /You said: hello$/);
      assert.equal(final.choices[0].finish_reason, "stop");
      assert.ok(final.usage.completion_tokens > 0);
    });

    test("the tools runner", async () => {
      const asked = [];
      const runner = client.chat.completions.runTools({
        model,
        messages: user('call tool weather with {"city":"Oslo"}'),
        tools: [
          {
            type: "function",
            function: {
              ...weather.function,
              parse: JSON.parse,
              function: ({ city }) => {
                asked.push(city);
                return "rain";
              },
            },
          },
        ],
      });
      assert.match(await runner.finalContent(), /rain/);
      assert.deepEqual(asked, ["Oslo"]);
    });

    test("the tools runner, streamed", async () => {
      const asked = [];
      const runner = client.chat.completions.runTools({
        model,
        stream: true,
        messages: user('call tool weather with {"city":"Bergen"}'),
        tools: [
          {
            type: "function",
            function: {
              ...weather.function,
              parse: JSON.parse,
              function: ({ city }) => {
                asked.push(city);
                return "snow";
              },
            },
          },
        ],
      });
      assert.match(await runner.finalContent(), /snow/);
      assert.deepEqual(asked, ["Bergen"]);
    });

    test("parse", async () => {
      const Forecast = z.object({ city: z.string(), degrees: z.number(), days: z.array(z.string()), rain: z.boolean() });
      const asked = client.chat.completions.parse({
        model,
        messages: user("the weather"),
        response_format: zodResponseFormat(Forecast, "forecast"),
      });
      if (kind === "deepseek") {
        // It knows no schemas, and says so rather than answer in another form.
        return assert.rejects(asked, (error) => error instanceof OpenAI.BadRequestError && error.param.startsWith("response_format"));
      }
      const answer = await asked;
      assert.equal(typeof answer.choices[0].message.parsed.city, "string");
      assert.equal(typeof answer.choices[0].message.parsed.degrees, "number");
    });
  });
}

describe("besides", () => {
  test("the models are listed", async () => {
    const ids = [];
    for await (const model of client.models.list()) ids.push(model.id);
    assert.ok(ids.includes("claude"), ids.join());
  });

  test("errors have the SDK's classes", async () => {
    await assert.rejects(
      client.chat.completions.create({ model: "openai/gpt-x+status=429+retry_after=3", messages: user("hello") }),
      (error) => error instanceof OpenAI.RateLimitError && error.headers.get("retry-after") === "3",
    );
    await assert.rejects(
      client.chat.completions.create({ model: "openai/gpt-x", messages: "hello" }),
      (error) => error instanceof OpenAI.BadRequestError && error.param === "messages",
    );
  });

  for (const [how, directive, thrown] of [
    ["that ends too early", "end=1500", OpenAI.APIError],
    ["in which an error comes", "error_after=3", OpenAI.APIError],
    ["whose connection is cut", "cut=1500", Error], // no filter is asked then: it is the client's transport that throws
  ]) {
    test(`a stream ${how} throws`, async () => {
      const model = `anthropic/claude-sonnet-5-5+chunks=20+${directive}`;
      const stream = await client.chat.completions.create({ model, messages: user("hello"), stream: true });
      await assert.rejects(async () => {
        for await (const _ of stream);
      }, thrown);
    });
  }

  test("a fallback is not noticed", async () => {
    const { data, response } = await client.chat.completions
      .create({ model: "openai-then-anthropic", messages: user("hello") })
      .withResponse();
    assert.match(data.choices[0].message.content, /hello$/);
    assert.equal(response.headers.get("x-modelgate-attempts"), "1");
  });
});
