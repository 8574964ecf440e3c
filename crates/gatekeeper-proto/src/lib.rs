//! Sans-IO core: gets, judges, keeps, renews and presents OAuth 2.0 access tokens, without a heap, clock or socket
