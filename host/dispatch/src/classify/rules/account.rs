//! Errors that speak of the credential: its secret, its account, its credit, its quota.

use jackfield_credential::{Scope, kind};

use super::Matcher::{Code, CodeAndPhrase, Phrase};
use super::{ACCOUNT, CLIENTS, NONE, Rule, rule};

pub(super) const RULES: &[Rule] = &[
    rule(
        &[NONE..=NONE, 400..=401, 403..=403],
        Code(&["invalid_grant"]),
        (Scope::Credential, kind::AUTHENTICATION),
        "RFC 6749, section 5.2; CLIProxyAPI 1.19",
    ),
    // The free tier of one model is used up.
    rule(
        ACCOUNT,
        Code(&["allocationquota.freetieronly"]),
        (Scope::Model, kind::BILLING),
        "Alibaba Model Studio, error codes, 403",
    ),
    rule(
        ACCOUNT,
        Phrase(&["free allocated quota exceeded"]),
        (Scope::Model, kind::BILLING),
        "Alibaba Model Studio, error codes, 429",
    ),
    // Elsewhere the code means that the credit is used up. Here it is the limit of tokens in a minute.
    rule(
        &[NONE..=NONE, 429..=429],
        CodeAndPhrase(
            &["insufficient_quota", "throttling.allocationquota"],
            &[
                "alibabacloud.com",
                "aliyun.com",
                "allocated quota exceeded",
                "current requests list",
            ],
        ),
        (Scope::Model, kind::RATE_LIMIT),
        "Alibaba Model Studio, rate limits: causes of errors",
    ),
    rule(
        ACCOUNT,
        Code(&[
            "accountoverdueerror",
            "arrearage",
            "billing_error",
            "billing_hard_limit_reached",
            "billing_not_active",
            "budget_exceeded",
            "deactivated_workspace",
            "exceeded_current_quota_error",
            "insufficient_balance",
            "insufficient_balance_error",
            "insufficient_credits",
            "insufficient_user_quota",
            "payment_required",
            "usage_not_included",
        ]),
        (Scope::Credential, kind::BILLING),
        "OpenAI, error codes; Anthropic, errors; OpenRouter, errors; Alibaba Model Studio, error codes, 400; \
         Volcengine Ark, error codes; Moonshot, error codes; LiteLLM, budgets; one-api: \
         songquanpeng/one-api#1270; Codex: james-6-23/codex2api#42, openai/codex (api_bridge.rs)",
    ),
    rule(
        CLIENTS,
        Code(&["insufficient_quota"]),
        (Scope::Credential, kind::BILLING),
        "OpenAI, error codes, 429: the credit or the monthly budget is used up",
    ),
    // With the end of the window it is a quota; without it, the plan or the workspace has no credit.
    rule(
        &[NONE..=NONE, 403..=403, 429..=429],
        Code(&["usage_limit_reached"]),
        (Scope::Credential, kind::QUOTA),
        "OpenAI, Codex usage limits: james-6-23/codex2api#9, manaflow-ai/subrouter#346",
    ),
    rule(
        ACCOUNT,
        Code(&[
            "account_deactivated",
            "api_key_invalid",
            "authentication_error",
            "expiredtokenexception",
            "invalid_api_key",
            "invalidapikey",
            "token_invalidated",
            "token_revoked",
            "unauthenticated",
            "unrecognizedclientexception",
        ]),
        (Scope::Credential, kind::AUTHENTICATION),
        "OpenAI, error codes; Anthropic, errors; google.rpc.Code; Amazon Bedrock, common errors; \
         router-for-me/CLIProxyAPI#3654",
    ),
    rule(
        ACCOUNT,
        Code(&[
            "accessdenied.unpurchased",
            "invalid_workspace_selected",
            "organization_restricted",
            "unsupported_country_region_territory",
        ]),
        (Scope::Credential, kind::PERMISSION),
        "OpenAI, error codes, 403; Groq 400: songquanpeng/one-api#1764; Alibaba Model Studio, error codes; \
         openai/codex#24495",
    ),
    // Phrases, of providers that have no code for it. Windows of a plan come first: some of their
    // messages offer to buy credit.
    rule(
        ACCOUNT,
        Phrase(&[
            "limit exhausted. your limit will reset",
            "reached your monthly usage limit",
            "reached your session usage limit",
            "reached your usage limit",
            "reached your weekly",
            "usage limit exceeded",
            "usage limit reached for",
            "小时的使用上限",
        ]),
        (Scope::Credential, kind::QUOTA),
        "Z.ai, error codes 1308 and 1310: hugalafutro/model-hotel#955, dirge-code/dirge#818; \
         Kimi 403: NanmiCoder/cc-haha#1208, openclaw/openclaw#142656; MiniMax: \
         MiniMax-AI/MiniMax-M2.7#36; Ollama: continuedev/continue#10579",
    ),
    rule(
        ACCOUNT,
        Phrase(&[
            "account is in good standing",
            "account is not active",
            "billing to be enabled",
            "budget has been exceeded",
            "credit balance is too low",
            "doesn't have any credits",
            "exceeded your monthly included credits",
            "exceeded your premium request allowance",
            "insufficient account balance",
            "insufficient balance",
            "insufficient credits",
            "key limit exceeded",
            "no resource package",
            "out of credits",
            "prepayment credits are depleted",
            "quota is not enough",
            "requires more credits",
            "run out of credits",
            "used all available credits",
            "you have no quota",
            "用户额度不足",
            "预扣费额度失败",
        ]),
        (Scope::Credential, kind::BILLING),
        "Anthropic 400; DeepSeek 402; Google 403; OpenRouter 402 and 403: RooCodeInc/Roo-Code#515, \
         MCPJam/inspector#1287; Alibaba: router-for-me/CLIProxyAPI#4846; Z.ai 1113: \
         7836246/cursor2api#30; xAI: continuedev/continue#10373, Wei-Shaw/sub2api#4069; Codex: \
         openai/codex#27598; Hugging Face: huggingface/agents-course#386; GitHub Copilot: \
         github/copilot-cli#3431; LiteLLM: BerriAI/litellm#14144; new-api: QuantumNous/new-api#6929",
    ),
    rule(
        ACCOUNT,
        Phrase(&[
            "api key expired",
            "api key not valid",
            "incorrect api key",
            "security token included in the request",
        ]),
        (Scope::Credential, kind::AUTHENTICATION),
        "Gemini API, troubleshooting, 400 API_KEY_INVALID; xAI 400: openai/codex#1352; \
         Amazon Bedrock 403: anthropics/claude-code#2260",
    ),
    rule(
        ACCOUNT,
        Phrase(&[
            "account has been disabled",
            "country, region, or territory not supported",
            "has been denied access",
            "has been suspended",
            "organization has been disabled",
            "organization has been restricted",
            "public access is disabled",
            "user location is not supported",
            "virtual network is configured",
            "virtual network/firewall rules",
        ]),
        (Scope::Credential, kind::PERMISSION),
        "Claude help center, disabled organizations: router-for-me/CLIProxyAPI#2211; OpenAI, 403; \
         Gemini API: poenl/gemini-api#8, coaidev/coai#67; Groq; Azure: \
         Azure-Samples/azure-sql-db-chatbot#3, continuedev/continue#12547",
    ),
];
