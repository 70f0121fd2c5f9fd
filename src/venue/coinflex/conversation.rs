//! One command and its reply: greeting, login where there is one, command, reply, and the notices that come of it.
//!
//! Sans-IO like the session, and much less: nothing is recorded, so nothing is concluded.

use std::borrow::Cow;
use std::sync::Arc;

use thiserror::Error;

use crate::crypto::{Nonce, Secret};
use crate::venue::Account;

use super::decode::{Message, NoticeName, decode};
use super::fields::Key;
use super::login::login_frame;
use super::wire::{Command, Request};

/// What came of a frame.
#[derive(Debug)]
pub enum Heard {
    /// Send this.
    Send(Secret),
    /// The reply: its text, and its error code (0 for success).
    Reply(String, i64),
    /// A notice that came after the command went out; handed on after the reply, whenever it came.
    Notice(String),
}

/// A frame that ends the conversation.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Misunderstanding {
    /// Not an object of the protocol.
    #[error("the exchange sent something that is not of the protocol")]
    NotOfTheProtocol,
    /// The greeting has no usable nonce, so there can be no login.
    #[error("the exchange's greeting has no nonce of 16 bytes, so nobody can log in")]
    NoNonce,
    /// The login before the command was refused.
    #[error("the login was refused with code {code} ({message}); look at {}", look_at(*.code, .message))]
    LoginRefused {
        /// The exchange's code.
        code: i64,
        /// What it said.
        message: String,
    },
}

impl Misunderstanding {
    /// What a refused login's reply comes to.
    #[must_use]
    pub fn of_login(reply: &str, code: i64) -> Self {
        let message = decode(reply).ok().and_then(|reply| reply.error_message.map(Cow::into_owned));
        Self::LoginRefused { code, message: message.unwrap_or_default() }
    }
}

/// Which of user, cookie and passphrase an error code of the login is about.
fn look_at(code: i64, message: &str) -> &'static str {
    match code {
        1 => "the user's number",
        6 => "how often you log in, and wait a quarter of an hour",
        7 if message.contains("cookie") => "the cookie",
        7 if message.contains("signature") => "the passphrase",
        7 => "the cookie and the passphrase",
        _ => "user, cookie and passphrase",
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Greeting,
    Login,
    Command,
    Replied,
}

/// The conversation, fed with the frames that arrive.
pub struct Conversation {
    /// Who logs in first, if anybody.
    account: Option<Arc<Account>>,
    /// What is asked then; `None`: the login is all.
    command: Option<Command>,
    /// The tag of what is asked; 0 for none.
    tag: i64,
    stage: Stage,
    /// Notices that came between the command and its reply.
    early: Vec<String>,
}

impl Conversation {
    /// Puts a command with `tag` (0 for none), after logging in as `account` if there is one.
    #[must_use]
    pub fn ask(command: Command, tag: i64, account: Option<Arc<Account>>) -> Self {
        Self { account, command: Some(command), tag, stage: Stage::Greeting, early: Vec::new() }
    }

    /// Logs in, with `tag` (0 for none); the reply is the login's.
    #[must_use]
    pub fn log_in(account: Arc<Account>, tag: i64) -> Self {
        Self { account: Some(account), command: None, tag, stage: Stage::Greeting, early: Vec::new() }
    }

    /// Whether it sends secrets.
    #[must_use]
    pub fn is_secret(&self) -> bool {
        self.account.is_some()
    }

    /// Takes a frame, and says what comes of it, in order.
    ///
    /// # Errors
    /// If the conversation can't go on.
    pub fn hear(&mut self, text: &str) -> Result<Vec<Heard>, Misunderstanding> {
        let message = decode(text).map_err(|_| Misunderstanding::NotOfTheProtocol)?;
        let code = message.fields.int(Key::ErrorCode);
        match (self.stage, code) {
            (Stage::Greeting, _) if message.notice == Some(NoticeName::Welcome) => self.greeted(&message),
            (Stage::Login, Some(code)) if self.is_tagged(&message, self.login_tag()) => match (&self.command, code) {
                (None, _) => Ok(self.replied(text, code)),
                (Some(_), 0) => Ok(self.put_command()),
                (Some(_), code) => Err(Misunderstanding::of_login(text, code)),
            },
            (Stage::Command, Some(code)) if self.is_tagged(&message, self.tag) => Ok(self.replied(text, code)),
            (Stage::Command, None) if message.notice.is_some() => {
                self.early.push(text.to_owned());
                Ok(Vec::new())
            }
            (Stage::Replied, None) if message.notice.is_some() => Ok(vec![Heard::Notice(text.to_owned())]),
            _ => Ok(Vec::new()),
        }
    }

    fn greeted(&mut self, message: &Message<'_>) -> Result<Vec<Heard>, Misunderstanding> {
        let Some(account) = self.account.as_deref().and_then(Account::as_user) else { return Ok(self.put_command()) };
        let nonce = message.nonce.as_deref().and_then(|text| Nonce::from_base64(text).ok());
        let login = login_frame(account, nonce.ok_or(Misunderstanding::NoNonce)?, self.login_tag());
        self.stage = Stage::Login;
        Ok(vec![Heard::Send(login.text)])
    }

    fn put_command(&mut self) -> Vec<Heard> {
        self.stage = Stage::Command;
        let tag = Some(self.tag).filter(|tag| *tag != 0);
        let frame = |command| Heard::Send(Secret::new(Request { tag, command }.to_json()));
        self.command.clone().map(frame).into_iter().collect()
    }

    fn replied(&mut self, text: &str, code: i64) -> Vec<Heard> {
        self.stage = Stage::Replied;
        let notices = self.early.drain(..).map(Heard::Notice);
        std::iter::once(Heard::Reply(text.to_owned(), code)).chain(notices).collect()
    }

    /// The login's tag: if there is a command, another one than that has.
    fn login_tag(&self) -> i64 {
        match self.command {
            None => self.tag,
            Some(_) if self.tag == 1 => 2,
            Some(_) => 1,
        }
    }

    fn is_tagged(&self, message: &Message<'_>, tag: i64) -> bool {
        message.fields.int(Key::Tag).unwrap_or(0) == tag
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::{Randomness, SigningKey};
    use crate::model::AssetCode;
    use crate::model::UserId;
    use crate::venue::UserAccount;
    use crate::venue::coinflex::wire::Watch;

    const WELCOME: &str = r#"{"nonce":"azRzAi5rm1ry/l0drnz1vw==","notice":"Welcome"}"#;
    const WATCH: &str = r#"{"tag":7,"method":"WatchTicker","base":1,"counter":2,"watch":true}"#;
    const NOTICE: &str = r#"{"notice":"TickerChanged","base":1,"counter":2,"bid":5}"#;

    /// The client's nonce of the worked example of the API's documents.
    #[derive(Debug)]
    struct Worked;

    impl Randomness for Worked {
        fn nonce(&self) -> Nonce {
            Nonce::from_base64("8IyYyvH9gujOqYJdv/BP0A==").unwrap()
        }
    }

    fn account() -> Arc<Account> {
        let user = UserId(1);
        Arc::new(Account::User(UserAccount {
            user,
            cookie: Secret::new("HGREqcILTz8blHa/jsUTVTNBJlg=".to_owned()),
            passphrase: Secret::new("opensesame".to_owned()),
            key: SigningKey::derive(user, "opensesame"),
            randomness: Arc::new(Worked),
        }))
    }

    fn watch() -> Command {
        Command::WatchTicker(Watch { base: AssetCode(1), counter: AssetCode(2), watch: true })
    }

    /// What comes of a frame, a line for each thing.
    fn hear(conversation: &mut Conversation, text: &str) -> Vec<String> {
        let told = |heard| match heard {
            Heard::Send(frame) => format!("send {}", frame.expose()),
            Heard::Reply(text, code) => format!("reply {code} {text}"),
            Heard::Notice(text) => format!("notice {text}"),
        };
        conversation.hear(text).unwrap().into_iter().map(told).collect()
    }

    #[test]
    fn a_public_command_goes_out_after_the_greeting_and_early_notices_come_after_the_reply() {
        let mut conversation = Conversation::ask(watch(), 7, None);
        assert!(hear(&mut conversation, NOTICE).is_empty(), "not of this command");
        assert_eq!(hear(&mut conversation, WELCOME), [format!("send {WATCH}")]);
        assert!(hear(&mut conversation, NOTICE).is_empty());
        assert!(hear(&mut conversation, r#"{"tag":8,"error_code":0}"#).is_empty(), "of another command");
        let reply = r#"{"tag":7,"error_code":0,"last":null}"#;
        assert_eq!(hear(&mut conversation, reply), [format!("reply 0 {reply}"), format!("notice {NOTICE}")]);
        assert_eq!(hear(&mut conversation, NOTICE), [format!("notice {NOTICE}")]);
    }

    #[test]
    fn a_login_signs_both_nonces_before_the_command() {
        let mut conversation = Conversation::ask(Command::GetBalances, 1, Some(account()));
        let login = r#"send {"tag":2,"method":"Authenticate","user_id":1,"cookie":"HGREqcILTz8blHa/jsUTVTNBJlg=","nonce":"8IyYyvH9gujOqYJdv/BP0A==","signature":["F4H/SZe0jTifUY33UAHEtlZAgpViKNdN0DIWVg==","R7Ac7rJqD0eM4MoV7UbLcM5Xg79Y+ijnLY39QA=="]}"#;
        assert_eq!(hear(&mut conversation, WELCOME), [login]);
        assert_eq!(
            hear(&mut conversation, r#"{"tag":2,"error_code":0}"#),
            [r#"send {"tag":1,"method":"GetBalances"}"#]
        );
        let refused = r#"{"tag":1,"error_code":6,"error_msg":"Slower."}"#;
        assert_eq!(hear(&mut conversation, refused), [format!("reply 6 {refused}")]);
    }

    #[test]
    fn what_is_no_reply_to_the_login_is_not_taken_for_it() {
        let mut conversation = Conversation::ask(Command::GetBalances, 1, Some(account()));
        assert!(conversation.is_secret());
        hear(&mut conversation, WELCOME);
        for other in [r#"{"tag":5,"error_code":0}"#, r#"{"tag":5,"error_code":7}"#, r#"{"tag":2}"#, NOTICE] {
            assert!(hear(&mut conversation, other).is_empty(), "{other}");
        }
        assert_eq!(hear(&mut conversation, r#"{"tag":2,"error_code":0}"#).len(), 1);
        assert!(hear(&mut conversation, r#"{"tag":1}"#).is_empty(), "neither a reply nor a notice");
        let reply = r#"{"tag":1,"error_code":0,"balances":[]}"#;
        assert_eq!(hear(&mut conversation, reply), [format!("reply 0 {reply}")]);
        assert!(hear(&mut conversation, r#"{"tag":1}"#).is_empty(), "neither a reply nor a notice");
    }

    #[test]
    fn the_login_itself_can_be_asked_for() {
        assert!(!Conversation::ask(watch(), 7, None).is_secret());
        let mut conversation = Conversation::log_in(account(), 0);
        assert!(hear(&mut conversation, WELCOME)[0].starts_with(r#"send {"tag":0,"method":"Authenticate""#));
        let refused = r#"{"error_code":7,"error_msg":"You sent an incorrect login cookie."}"#;
        assert_eq!(hear(&mut conversation, refused), [format!("reply 7 {refused}")]);
    }

    #[test]
    fn a_refused_login_says_what_to_look_at() {
        for (code, text, remedy) in [
            (1, "There is no such user.", "the user's number"),
            (6, "Too rapidly.", "how often you log in, and wait a quarter of an hour"),
            (7, "You sent an incorrect login cookie.", "the cookie"),
            (7, "You sent an incorrect signature.", "the passphrase"),
            (7, "No.", "the cookie and the passphrase"),
            (8, "?", "user, cookie and passphrase"),
        ] {
            let mut conversation = Conversation::ask(Command::GetOrders, 3, Some(account()));
            hear(&mut conversation, WELCOME);
            let refused = format!(r#"{{"tag":1,"error_code":{code},"error_msg":"{text}"}}"#);
            assert_eq!(
                conversation.hear(&refused).unwrap_err().to_string(),
                format!("the login was refused with code {code} ({text}); look at {remedy}")
            );
        }
    }

    #[test]
    fn without_a_tag_the_reply_is_the_one_without() {
        let mut conversation = Conversation::ask(Command::CancelAllOrders, 0, None);
        assert_eq!(hear(&mut conversation, WELCOME), [r#"send {"method":"CancelAllOrders"}"#]);
        assert_eq!(hear(&mut conversation, r#"{"error_code":7}"#), [r#"reply 7 {"error_code":7}"#]);
    }

    #[test]
    fn a_greeting_that_cannot_be_signed_and_what_is_no_json_end_it() {
        let mut conversation = Conversation::log_in(account(), 1);
        let short = r#"{"notice":"Welcome","nonce":"AAAA"}"#;
        assert_eq!(conversation.hear(short).unwrap_err(), Misunderstanding::NoNonce);
        assert_eq!(conversation.hear("[]").unwrap_err(), Misunderstanding::NotOfTheProtocol);
    }
}
