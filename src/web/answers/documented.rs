//! The `OpenAPI` descriptions of the answers that several routes share.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;
use utoipa::openapi::example::Example;
use utoipa::openapi::header::{Header, HeaderBuilder};
use utoipa::openapi::{
    Content, ContentBuilder, Object, Ref, RefOr, Response, ResponseBuilder, Type,
};
use utoipa::{IntoResponses, ToSchema};

use super::detail::Detail;
use super::page::{HtmlPage, Page};
use super::refusal::Refusal;
use super::refusal::Refusal::{
    AmbiguousCookie, CrossSite, NeedsRecentSignIn, NoSession, NoSuchInvitation, NoSuchSession,
    SessionEnded, StoreDown, TooLarge, TooManyAttempts, UnsupportedMediaType, WrongHost,
    WrongPassword,
};
use super::see_other::SeeOther;

pub(crate) type Responses = BTreeMap<String, RefOr<Response>>;

const JSON: &str = "application/json";
const HTML: &str = "text/html";

/// The same for [`SeeOther`] and for a refusal, which has no `Set-Cookie`. A later response of the same status replaces an
/// earlier one, so a handler that has both names `SeeOther` last.
const TO_PAGE: &str = "To a browser: on to the page in `Location`.";

impl<V, B: ToSchema> IntoResponses for Page<V, B> {
    fn responses() -> Responses {
        json_or_html::<B>(200, "Done.")
    }
}

impl<B: ToSchema> IntoResponses for SeeOther<B> {
    fn responses() -> Responses {
        let done = negotiated("Done.").content(JSON, body::<B>());
        let mut responses = one(200, done.header("Set-Cookie", cookie()));
        responses.extend(one(303, to_page().header("Set-Cookie", cookie())));
        responses
    }
}

impl<V> IntoResponses for HtmlPage<V> {
    fn responses() -> Responses {
        let page = ResponseBuilder::new().description("The page.");
        one(200, page.content(HTML, html()))
    }
}

/// A type for each set of refusals, which handlers name among their responses.
macro_rules! refusals {
    ($($(#[$doc:meta])* $name:ident: $($refusal:expr),+;)+) => {
        $($(#[$doc])*
        pub(crate) struct $name;

        impl IntoResponses for $name {
            fn responses() -> Responses {
                refused(&[$($refusal),+])
            }
        })+
    };
}

/// Without an error text: that is for the log, and no answer has it.
fn down() -> Refusal {
    StoreDown(Arc::from(""))
}

fn not_all() -> Refusal {
    Refusal::NotAllEnded {
        ended: 0,
        error: Arc::from(""),
    }
}

refusals! {
    /// A page that needs no session.
    PublicResponses: AmbiguousCookie, down();
    SignOutResponses: AmbiguousCookie, CrossSite, down();
    /// A body with a password that is checked.
    PasswordResponses: WrongPassword, TooManyAttempts { retry_after: 0 };
    SignInResponses: AmbiguousCookie, CrossSite, UnsupportedMediaType, TooLarge, down();
    /// A safe method that needs a session.
    ReadResponses: NoSession, SessionEnded, AmbiguousCookie, down();
    EndResponses: NoSession, CrossSite, SessionEnded, AmbiguousCookie, down(), not_all();
    /// The same, where a recent proof is needed.
    RecentResponses: NoSession, NeedsRecentSignIn, SessionEnded, AmbiguousCookie, down();
    ChangeResponses: NoSession, NeedsRecentSignIn, CrossSite, SessionEnded, AmbiguousCookie, UnsupportedMediaType, TooLarge, TooManyAttempts { retry_after: 0 }, down(), not_all();
    /// A password of somebody who is signed in.
    ConfirmResponses: NoSession, CrossSite, SessionEnded, AmbiguousCookie, UnsupportedMediaType, TooLarge, TooManyAttempts { retry_after: 0 }, down(), not_all();
    InvitationResponses: AmbiguousCookie, CrossSite, UnsupportedMediaType, TooLarge, NoSuchInvitation, down(), not_all();
    SignUpResponses: AmbiguousCookie, CrossSite, UnsupportedMediaType, TooLarge, TooManyAttempts { retry_after: 0 }, down();
    EndOneResponses: NoSession, CrossSite, SessionEnded, NoSuchSession, AmbiguousCookie, down();
}

/// For a request that is meant for another host.
pub(crate) fn wrong_host() -> Responses {
    refused(&[WrongHost])
}

/// For a site without a page to sign in on: a browser gets the error as a page, and not a redirect.
///
/// `changes`: whether the redirect is also the answer to a change that was made.
pub(crate) fn without_sign_in_page(responses: &mut Responses, changes: bool) {
    for status in ["403", "404"] {
        // Those with a page of their own led nowhere.
        if let Some(RefOr::T(response)) = responses.get_mut(status)
            && !response.content.contains_key(HTML)
        {
            let page = RefOr::T(html());
            response.content.insert(HTML.to_owned(), page);
            if !changes {
                responses.remove("303");
            }
        }
    }
}

/// One response for each status, described by the details of its refusals.
fn refused(refusals: &[Refusal]) -> Responses {
    let mut by_status: BTreeMap<u16, Vec<&Refusal>> = BTreeMap::new();
    for refusal in refusals {
        by_status
            .entry(refusal.status().code)
            .or_default()
            .push(refusal);
    }
    let mut responses: Responses = by_status
        .into_iter()
        .flat_map(|(status, refusals)| one(status, refusal(&refusals)))
        .collect();
    if refusals.iter().any(Refusal::sends_to_sign_in) {
        responses.extend(one(303, to_page()));
    }
    responses
}

fn refusal(refusals: &[&Refusal]) -> ResponseBuilder {
    let words: Vec<_> = refusals.iter().map(|refusal| refusal.detail()).collect();
    let examples = refusals.iter().map(|refusal| {
        let example = Example::builder().value(Some(json!({ "detail": refusal.detail() })));
        (refusal.reason(), example)
    });
    let detail = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name(Detail::name())))
        .examples_from_iter(examples);
    let mut response = negotiated(&format!("{}.", words.join(", or: "))).content(JSON, detail);
    if !refusals.iter().all(|refusal| refusal.sends_to_sign_in()) {
        response = response.content(HTML, html());
    }
    if refusals.contains(&&SessionEnded) {
        response = response.header("Set-Cookie", cookie());
    }
    let says_when = |refusal: &&Refusal| matches!(refusal, StoreDown(_) | TooManyAttempts { .. });
    if refusals.iter().any(says_when) {
        response = response.header("Retry-After", header(Type::Integer, "Seconds"));
    }
    response
}

/// An answer that is JSON for a program, and HTML for a browser.
pub(crate) fn json_or_html<B: ToSchema>(status: u16, description: &str) -> Responses {
    let response = negotiated(description).content(JSON, body::<B>());
    one(status, response.content(HTML, html()))
}

fn one(status: u16, response: ResponseBuilder) -> Responses {
    BTreeMap::from([(status.to_string(), response.into())])
}

fn negotiated(description: &str) -> ResponseBuilder {
    ResponseBuilder::new()
        .description(description)
        .header("Vary", header(Type::String, "`Accept`"))
}

fn to_page() -> ResponseBuilder {
    negotiated(TO_PAGE).header("Location", header(Type::String, "A path of this site"))
}

fn cookie() -> Header {
    header(
        Type::String,
        "The session cookie, set or removed, where that is due",
    )
}

fn header(kind: Type, description: &str) -> Header {
    HeaderBuilder::new()
        .schema(Some(Object::with_type(kind)))
        .description(Some(description))
        .build()
}

fn body<B: ToSchema>() -> Content {
    Content::new(Some(Ref::from_schema_name(B::name())))
}

fn html() -> Content {
    Content::new(Some(Object::with_type(Type::String)))
}
