// Sends the same events as tests/api/test_clients.py, by the CloudEvents package for JavaScript.
// Usage: node send.js URL TOKEN
const { CloudEvent, HTTP, emitterFor, httpTransport } = require("cloudevents");

const [url, token] = process.argv.slice(2);
const event = (type, subject, time, data) => new CloudEvent({ source: "node", type, subject, time, data });
const started = event("instance.started", "i 1", "2022-05-02T00:00:00.123Z", { account: "team:a", quantity: 1.5 });
const stopped = event("instance.stopped", "i 1", "2022-05-03T00:00:00Z", undefined);

async function send(message) {
  const answer = await fetch(url, {
    method: "POST",
    headers: { ...message.headers, Authorization: `Bearer ${token}` },
    body: message.body,
  });
  console.log(answer.status, await answer.text());
}

(async () => {
  await send(HTTP.binary(started));
  await send(HTTP.structured(started));
  await send(HTTP.structured(stopped));
})();
