// The same application with the Vercel AI SDK: `node app.mjs STUB OTLP`, in a folder where package.json was installed.
import { createOpenAI } from "@ai-sdk/openai";
import { SpanKind, trace } from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { NodeSDK } from "@opentelemetry/sdk-node";
import { embed, generateText, streamText } from "ai";

const [stub, otlp] = process.argv.slice(2);
const headers = { Authorization: `Bearer ${process.env.READINESS_TOKEN || ""}` };
const sdk = new NodeSDK({
  resource: resourceFromAttributes({ "service.name": "family" }),
  traceExporter: new OTLPTraceExporter({ url: `${otlp}/v1/traces`, headers }),
});
sdk.start();

const openai = createOpenAI({ baseURL: `${stub}/v1`, apiKey: "sk-of-nobody" });
const telemetry = { isEnabled: true, functionId: "answer", metadata: { tenant: "acme", promptVersion: "3" } };
const ask = "Where is Zoë's parcel? I am zoe@example.com, +1 202 555 0142.";
const common = { model: openai.chat("gpt-4.1-mini"), experimental_telemetry: telemetry, maxRetries: 0 };

const calls = {
  chat: () => generateText({ ...common, prompt: ask }),
  stream: async () => {
    const answer = streamText({ ...common, prompt: ask });
    for await (const _ of answer.textStream);
  },
  embedding: () =>
    embed({
      model: openai.embedding("text-embedding-3-small"),
      value: "zoe@example.com",
      experimental_telemetry: telemetry,
    }),
  failed: () => generateText({ ...common, prompt: "fail: zoe@example.com" }),
};

const tracer = trace.getTracer("app");
for (const [name, call] of Object.entries(calls)) {
  await tracer.startActiveSpan(`POST /${name}`, { kind: SpanKind.SERVER }, async (entry) => {
    entry.setAttributes({ "readiness.request_id": `vercel-${name}`, "readiness.release": "2026.11.2" });
    try {
      await call();
    } catch (error) {
      if (name !== "failed") throw error;
    }
    entry.end();
  });
}
await sdk.shutdown();
