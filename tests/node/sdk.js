// The flow of Stripe's SDK for Node against the emulator: one line per check, "ok" or "not ok" with the reason.
// Usage: node sdk.js URL KEY. The emulator's settings: no search lag, subscription_invoices.
const assert = require("node:assert/strict");
const Stripe = require("stripe");

const [url, key] = process.argv.slice(2);
const { hostname, port } = new URL(url);
const options = { host: hostname, port, protocol: "http", maxNetworkRetries: 0, telemetry: false };
const stripe = new Stripe(key, options);
const found = {};
let failures = 0;

async function check(name, run) {
  try {
    await run();
    console.log(`ok ${name}`);
  } catch (error) {
    failures += 1;
    console.log(`not ok ${name}: ${String(error.stack).replaceAll("\n", " ")}`);
  }
}

async function refused(promise, type, wanted = {}) {
  const error = await promise.then(() => null, (reason) => reason);
  assert.equal(error?.type, type, `expected ${type}, got ${error}`);
  for (const [name, value] of Object.entries(wanted)) assert.equal(error[name], value);
  return error;
}

const draft = async (amounts, more = {}) => {
  const made = await stripe.invoices.create({ customer: found.customer, currency: "usd", ...more });
  const lines = amounts.map((amount, n) => ({ amount, description: `line ${n}` }));
  return stripe.invoices.addLines(made.id, { lines });
};

async function customers() {
  await check("account", async () => assert.match((await stripe.accounts.retrieveCurrent()).id, /^acct_/));
  await check("customer with metadata", async () => {
    const made = await stripe.customers.create({ name: "Node", metadata: { attribution_id: "team:Node", a: "1" } });
    found.customer = made.id;
    assert.equal(made.metadata.attribution_id, "team:Node");
  });
  await check("metadata is merged", async () => {
    const changed = await stripe.customers.update(found.customer, { metadata: { b: "2", a: "" } });
    assert.deepEqual({ ...changed.metadata }, { attribution_id: "team:Node", b: "2" });
  });
  await check("address, email and tax location", async () => {
    const address = { line1: "1 Main St", postal_code: "10001", state: "NY", country: "US" };
    const changed = await stripe.customers.update(found.customer, { address, expand: ["tax"] });
    assert.equal(changed.tax.automatic_tax, "supported");
    await refused(stripe.customers.update(found.customer, { email: "nobody" }), "StripeInvalidRequestError", {
      code: "email_invalid",
    });
  });
  await check("tax id", async () => {
    const made = await stripe.customers.createTaxId(found.customer, { type: "eu_vat", value: "DE123456789" });
    assert.equal((await stripe.customers.listTaxIds(found.customer)).data[0].id, made.id);
  });
  await check("search ignores case", async () => {
    const answer = await stripe.customers.search({ query: "metadata['attribution_id']:'team:node'" });
    assert.deepEqual(answer.data.map((one) => one.id), [found.customer]);
  });
  await check("auto-paging", async () => {
    for (let n = 0; n < 12; n += 1) await stripe.customers.create({ name: `page ${n}` });
    const all = await stripe.customers.list({ limit: 5 }).autoPagingToArray({ limit: 100 });
    assert.equal(new Set(all.map((one) => one.id)).size, 13);
  });
}

async function subscriptions() {
  await check("product and price", async () => {
    const product = await stripe.products.create({ name: "Plan" });
    const recurring = { interval: "month" };
    const price = await stripe.prices.create({ product: product.id, currency: "usd", unit_amount: 900, recurring });
    found.price = price.id;
    assert.equal(price.unit_amount_decimal.toString(), "900");
  });
  await check("subscription with its first invoice", async () => {
    const made = await stripe.subscriptions.create({
      customer: found.customer,
      items: [{ price: found.price }],
      default_payment_method: "pm_card_visa",
      expand: ["latest_invoice"],
    });
    found.subscription = made.id;
    assert.deepEqual([made.status, made.latest_invoice.total, made.latest_invoice.status], ["active", 900, "paid"]);
  });
  await check("subscription is listed and updated", async () => {
    const changed = await stripe.subscriptions.update(found.subscription, { metadata: { plan: "b" } });
    assert.equal(changed.metadata.plan, "b");
    const listed = await stripe.subscriptions.list({ customer: found.customer });
    assert.equal(listed.data[0].id, found.subscription);
  });
  await check("subscription is canceled with a last invoice", async () => {
    const ended = await stripe.subscriptions.cancel(found.subscription, { invoice_now: true });
    assert.equal(ended.status, "canceled");
    const last = await stripe.invoices.retrieve(ended.latest_invoice);
    assert.equal(last.parent.subscription_details.subscription, found.subscription);
  });
}

async function invoices() {
  await check("draft with lines", async () => {
    const made = await draft([1000, 250], { metadata: { ours: "yes" } });
    found.invoice = made.id;
    assert.deepEqual([made.status, made.subtotal, made.lines.data.length], ["draft", 1250, 2]);
  });
  await check("lines are listed, updated and removed", async () => {
    const [first, second] = (await stripe.invoices.listLineItems(found.invoice)).data;
    const changed = await stripe.invoices.updateLines(found.invoice, { lines: [{ id: first.id, amount: 1100 }] });
    assert.equal(changed.subtotal, 1350);
    const fewer = await stripe.invoices.removeLines(found.invoice, { lines: [{ id: second.id, behavior: "delete" }] });
    assert.equal(fewer.subtotal, 1100);
  });
  await check("finalization", async () => {
    const final = await stripe.invoices.finalizeInvoice(found.invoice, { auto_advance: false });
    assert.equal(final.status, "open");
    assert.ok(final.number && final.status_transitions.finalized_at);
  });
  await check("a finalized invoice is not changed", async () => {
    const wanted = { code: "invoice_not_editable" };
    await refused(stripe.invoices.finalizeInvoice(found.invoice), "StripeInvalidRequestError", wanted);
    const lines = { lines: [{ amount: 1, description: "x" }] };
    await refused(stripe.invoices.addLines(found.invoice, lines), "StripeInvalidRequestError", wanted);
  });
  await check("a declined card", async () => {
    const card = { payment_method: "pm_card_chargeDeclined" };
    await refused(stripe.invoices.pay(found.invoice, card), "StripeCardError", { decline_code: "generic_decline" });
  });
  await check("payment, with its charge", async () => {
    const paid = await stripe.invoices.pay(found.invoice, { payment_method: "pm_card_visa" });
    assert.deepEqual([paid.status, paid.amount_paid], ["paid", 1100]);
    const [payment] = (await stripe.invoicePayments.list({ invoice: found.invoice })).data;
    found.intent = payment.payment.payment_intent;
  });
  await check("void", async () => {
    const open = await stripe.invoices.finalizeInvoice((await draft([700])).id);
    assert.equal((await stripe.invoices.voidInvoice(open.id)).status, "void");
  });
  await check("uncollectible", async () => {
    const open = await stripe.invoices.finalizeInvoice((await draft([700])).id);
    assert.equal((await stripe.invoices.markUncollectible(open.id)).status, "uncollectible");
  });
  await check("a draft is deleted", async () => {
    const made = await draft([700]);
    assert.ok((await stripe.invoices.del(made.id)).deleted);
    await refused(stripe.invoices.retrieve(made.id), "StripeInvalidRequestError", { statusCode: 404 });
  });
  await check("an invoice item is taken up", async () => {
    await stripe.invoiceItems.create({ customer: found.customer, amount: 300, currency: "usd" });
    const made = await stripe.invoices.create({
      customer: found.customer,
      pending_invoice_items_behavior: "include",
    });
    assert.equal(made.subtotal, 300);
  });
  await check("a coupon lowers the total alone", async () => {
    const coupon = await stripe.coupons.create({ percent_off: 20, duration: "once" });
    const made = await draft([1000], { discounts: [{ coupon: coupon.id }] });
    assert.deepEqual([made.subtotal, made.total, made.total_discount_amounts[0].amount], [1000, 800, 200]);
  });
}

async function refusals() {
  const sent = { collection_method: "send_invoice", days_until_due: 30 };
  await check("no invoice is sent without an email address", async () => {
    const error = await refused(draft([100], sent), "StripeInvalidRequestError");
    assert.match(error.message, /^Missing email\./);
  });
  await check("none is taxed without a location", async () => {
    const { id } = await stripe.customers.create({ name: "Nowhere" });
    const made = await stripe.invoices.create({ customer: id, automatic_tax: { enabled: true } });
    const wanted = { code: "customer_tax_location_invalid" };
    await refused(stripe.invoices.finalizeInvoice(made.id), "StripeInvalidRequestError", wanted);
    assert.equal((await stripe.invoices.retrieve(made.id)).last_finalization_error.code, wanted.code);
  });
  await check("no part of a unit in ISK", async () => {
    const { id } = await stripe.customers.create({ name: "Iceland" });
    const made = await stripe.invoices.create({ customer: id, currency: "isk" });
    const lines = [{ amount: 150, description: "x" }];
    const wanted = { code: "invalid_charge_amount_no_decimal_compatible" };
    await refused(stripe.invoices.addLines(made.id, { lines }), "StripeInvalidRequestError", wanted);
  });
  await check("unknown parameter", async () => {
    await refused(stripe.customers.create({ colour: "red" }), "StripeInvalidRequestError", { code: "parameter_unknown" });
  });
  await check("unknown id", async () => {
    const wanted = { code: "resource_missing", statusCode: 404 };
    await refused(stripe.customers.retrieve("cus_none"), "StripeInvalidRequestError", wanted);
  });
  await check("wrong key", async () => {
    await refused(new Stripe("sk_live_none", options).customers.list(), "StripeAuthenticationError");
  });
}

async function credits() {
  await check("a credit note before payment", async () => {
    const open = await stripe.invoices.finalizeInvoice((await draft([1000])).id);
    const note = await stripe.creditNotes.create({ invoice: open.id, amount: 400 });
    assert.deepEqual([note.type, note.pre_payment_amount], ["pre_payment", 400]);
    assert.equal((await stripe.invoices.retrieve(open.id)).amount_remaining, 600);
    assert.equal((await stripe.creditNotes.voidCreditNote(note.id)).status, "void");
  });
  await check("a credit note is previewed", async () => {
    const seen = await stripe.creditNotes.preview({ invoice: found.invoice, amount: 300, credit_amount: 300 });
    assert.equal(seen.total, 300);
  });
  await check("a credit note with a refund", async () => {
    const [line] = (await stripe.invoices.listLineItems(found.invoice)).data;
    const lines = [{ type: "invoice_line_item", invoice_line_item: line.id, amount: 300 }];
    const note = await stripe.creditNotes.create({ invoice: found.invoice, lines, refund_amount: 300 });
    const refund = await stripe.refunds.retrieve(note.refunds[0].refund);
    assert.deepEqual([note.post_payment_amount, refund.amount, refund.status], [300, 300, "succeeded"]);
  });
  await check("a credit note to the balance", async () => {
    await stripe.creditNotes.create({ invoice: found.invoice, amount: 100, credit_amount: 100 });
    assert.equal((await stripe.customers.retrieve(found.customer)).balance, -100);
  });
  await check("a refund as in the dashboard", async () => {
    const refund = await stripe.refunds.create({ payment_intent: found.intent, amount: 200 });
    const charge = await stripe.charges.retrieve(refund.charge);
    assert.equal(charge.amount_refunded, 500);
  });
}

async function idempotency() {
  const sent = [{ name: "once" }, { idempotencyKey: "node-1" }];
  await check("a key repeats its answer", async () => {
    const [first, second] = [await stripe.customers.create(...sent), await stripe.customers.create(...sent)];
    assert.equal(first.id, second.id);
    assert.equal(second.lastResponse.headers["idempotent-replayed"], "true");
  });
  await check("a key is for one request", async () => {
    await refused(stripe.customers.create({ name: "other" }, sent[1]), "StripeIdempotencyError");
  });
}

async function events() {
  await check("events by type, newest first", async () => {
    const listed = await stripe.events.list({ types: ["invoice.paid", "invoice.voided"], limit: 100 });
    const kinds = new Set(listed.data.map((one) => one.type));
    assert.deepEqual([...kinds].sort(), ["invoice.paid", "invoice.voided"]);
    assert.ok(listed.data.every((one, n, all) => n === 0 || all[n - 1].created >= one.created));
  });
  await check("events are paged without a gap", async () => {
    const all = await stripe.events.list({ limit: 7 }).autoPagingToArray({ limit: 1000 });
    const before = await stripe.events.list({ ending_before: all[9].id, limit: 100 });
    assert.deepEqual(before.data.map((one) => one.id), all.slice(0, 9).map((one) => one.id));
  });
  await check("a webhook endpoint shows its secret once", async () => {
    const made = await stripe.webhookEndpoints.create({ url: "http://127.0.0.1:9/", enabled_events: ["product.deleted"] });
    assert.match(made.secret, /^whsec_/);
    assert.equal((await stripe.webhookEndpoints.retrieve(made.id)).secret, undefined);
    assert.ok((await stripe.webhookEndpoints.del(made.id)).deleted);
  });
  await check("a deleted customer", async () => {
    assert.ok((await stripe.customers.del(found.customer)).deleted);
    assert.ok((await stripe.customers.retrieve(found.customer)).deleted);
    await refused(draft([100]), "StripeInvalidRequestError", { param: "customer" });
  });
}

(async () => {
  for (const part of [customers, subscriptions, invoices, refusals, credits, idempotency, events]) await part();
  process.exit(failures ? 1 : 0);
})();
