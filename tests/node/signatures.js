// What Stripe's SDK for Node says of signed bodies. Reads JSON lines of {body (base64), header, secret}, and writes one
// line for each: the event's id and type, or the name of the error.
const readline = require("node:readline");
const Stripe = require("stripe");

const stripe = new Stripe("sk_test_none");

readline.createInterface({ input: process.stdin }).on("line", (line) => {
  const { body, header, secret } = JSON.parse(line);
  try {
    const event = stripe.webhooks.constructEvent(Buffer.from(body, "base64"), header, secret);
    console.log(`${event.id} ${event.type}`);
  } catch (error) {
    console.log(error.type);
  }
});
