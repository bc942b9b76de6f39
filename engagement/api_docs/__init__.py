"""Pages made from the description of the API: curl lines and a Postman collection."""
