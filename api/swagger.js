// Starts Swagger UI. validatorUrl is off: the page asks no other server.
SwaggerUIBundle({
  url: 'openapi.yaml',
  dom_id: '#documentation',
  deepLinking: true,
  validatorUrl: null,
  persistAuthorization: false,
});
