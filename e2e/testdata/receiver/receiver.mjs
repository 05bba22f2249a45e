// A receiver as customers write it: verifies every request with two public
// libraries and answers 204 only when both agree, 401 otherwise.
import { createServer } from "node:http";
import { Webhook as StandardWebhook } from "standardwebhooks";
import { Webhook as SvixWebhook } from "svix";

const secret = process.env.WEBHOOK_SECRET;

const server = createServer((request, response) => {
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", () => {
    const body = Buffer.concat(chunks).toString("utf8");
    try {
      new StandardWebhook(secret).verify(body, request.headers);
      new SvixWebhook(secret).verify(body, request.headers);
      if (JSON.stringify(JSON.parse(body)) !== body) throw new Error("not the bytes of JSON.stringify");
      response.writeHead(204).end();
    } catch (error) {
      response.writeHead(401).end(String(error));
    }
  });
});
server.listen(Number(process.env.PORT ?? 0), "127.0.0.1", () => console.log(server.address().port));
