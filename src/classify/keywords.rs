//! The words by which the gateway knows its own tasks, with what each is worth; patterns as the configuration may have.
//!
//! English words count where they stand alone, Chinese ones wherever they are. A thing is worth more together with what is to
//! be done with it: a function may be mentioned in a poem, but nobody writes one there.

/// Subjects after those of the tasks: what makes a request hard, and what easy.
pub(super) const HARD: u8 = 254;
pub(super) const EASY: u8 = 255;

/// The subject's place, what it is worth, the pattern.
pub(super) const BUILT_IN: &[(u8, u8, &str)] = &[
    // code
    (
        0,
        3,
        "write|create|implement|make|build|generate|develop|need|give .. function|script|program|class|query|regex|code|api|app|macro|algorithm|unittest|dockerfile|method|snippet|bot|parser|component",
    ),
    (
        0,
        3,
        "fix|debug|refactor|optimize|review|explain|improve|complete|simplify|test .. code|bug|function|script|query|program|class|method|snippet|regex",
    ),
    (
        0,
        2,
        "python|javascript|typescript|java|golang|rust|kotlin|php|sql|html|css|bash|powershell|react|django|kubernetes|docker|git|npm|numpy|pandas",
    ),
    (
        0,
        2,
        "typeerror|nullpointerexception|segfault|traceback|syntaxerror|keyerror|indexerror|exception|stacktrace|stack-trace|compiler|segmentation-fault|undefined",
    ),
    (0, 2, "c++|c#"),
    (
        0,
        2,
        "regex|regexp|regular-expression|unit-test|unit-tests|sql-query|pull-request|merge-conflict|leetcode|dockerfile|time-complexity|space-complexity",
    ),
    (0, 3, "写|编写|实现|做|开发|生成 .. 函数|代码|脚本|程序|爬虫|算法|接口|网页|正则|小程序"),
    (0, 2, "代码|报错|编程|函数|调试|重构|正则表达式|数据库查询|单元测试|运行时错误|编译"),
    // reasoning
    (
        1,
        3,
        "solve|prove|calculate|compute|derive|integrate|differentiate|factor|evaluate|simplify .. equation|problem|integral|theorem|derivative|expression|puzzle|probability|sum|area|value|x",
    ),
    (
        1,
        2,
        "solve|prove|calculate|compute|deduce|derivative|integral|equation|probability|theorem|riddle|arithmetic|algebra|geometry",
    ),
    (1, 2, "step-by-step|show-your-work|your-reasoning|show-the-steps"),
    (1, 2, "how many .. left|total|altogether|are|does|would|ways"),
    (1, 2, "next number|term"),
    (1, 2, "mph|perimeter|hypotenuse|square-root|average-speed"),
    (1, 2, "证明|求解|计算|解方程|概率|方程|推理|等于多少|几何|数学题|应用题|多少种|找规律|鸡兔同笼"),
    // summary
    (2, 3, "summar*|tldr|tl;dr|recap|synopsis"),
    (2, 2, "sum up"),
    (2, 2, "key|main points|takeaways|ideas"),
    (2, 2, "gist|condense|shorten|abridge"),
    (2, 2, "in short|brief|a-nutshell"),
    (2, 2, "title|headline|subject .. for|of .. article|paper|email|following|text"),
    (2, 3, "总结|概括|摘要|归纳|太长不看|提炼要点|主要内容|中心思想|概述|缩写|主要讲了"),
    // creative
    (
        3,
        3,
        "write|compose|create|tell|make|draft|generate|give .. poem|story|song|haiku|joke|lyrics|limerick|sonnet|tale|rap|letter|email|essay|blog|speech|slogan|tweet|caption|article|script|dialogue|toast|novel",
    ),
    (3, 2, "poem|poetry|haiku|limerick|sonnet|slogan|tagline|lyrics|fairy-tale|screenplay|brainstorm"),
    (3, 2, "rewrite|rephrase|paraphrase|reword|proofread|polish"),
    (3, 2, "pretend|imagine|roleplay"),
    (3, 2, "once upon a time"),
    (3, 2, "come up with"),
    (3, 3, "写|作|来|编|讲|创作 .. 诗|故事|歌词|作文|散文|小说|笑话|情书|文案|童话|剧本|段子|演讲稿|邮件|信"),
    (3, 2, "续写|扩写|润色|改写|头脑风暴|取名|起名|广告语|文案|朋友圈|扮演|口号"),
    // analysis
    (4, 3, "analy*|compare|contrast|evaluate|assess|critique"),
    (4, 3, "pros|advantages|strengths|benefits .. cons|disadvantages|weaknesses|drawbacks|risks"),
    (4, 2, "difference|differences|similarities|relationship between"),
    (4, 2, "impact|effect|effects|implications|causes|consequences|role|influence of"),
    (4, 2, "vs|versus|tradeoffs|trade-offs|swot"),
    (4, 2, "why do|did|does|is|are"),
    (4, 2, "discuss|argue|interpret|examine"),
    (4, 2, "what if"),
    (
        4,
        3,
        "分析|比较|对比|优缺点|利弊|影响|评价|评估|看待|探讨|论述|原因是|区别|哪个好|哪个更好|为什么会|swot",
    ),
    // translation
    (5, 3, "translat*"),
    (
        5,
        3,
        "how .. say .. in french|spanish|german|chinese|japanese|korean|italian|russian|arabic|portuguese|english|latin|hindi|dutch",
    ),
    (
        5,
        2,
        "in|into|to french|spanish|german|chinese|japanese|korean|italian|russian|arabic|portuguese|mandarin|hindi|dutch|polish|turkish",
    ),
    (5, 3, "翻译|译成|译为|中译英|英译中|英文怎么说|日语怎么说|英语怎么说|用英语|用英文怎么|什么意思|翻成"),
    // classification
    (6, 3, "classif*|categori*"),
    (6, 3, "sentiment|spam|toxic|hate-speech"),
    (6, 2, "positive .. negative"),
    (6, 2, "which|what category|label|topic|class|genre"),
    (6, 2, "label|tag .. as|each|these|following"),
    (6, 2, "true or false"),
    (6, 2, "detect|determine|decide|identify|tell-me whether|if"),
    (6, 2, "yes or no"),
    (6, 3, "分类|归类|正面还是负面|情感分析|哪一类|打标签|属于哪|类别|垃圾邮件|情感倾向"),
    (6, 3, "判断 .. 是否|是不是|正面|真假|对错"),
    // extraction
    (7, 3, "extract*"),
    (
        7,
        2,
        "list|find|get|identify|pull .. all|every .. names|dates|emails|numbers|entities|addresses|keywords|locations|people|companies|phone|urls|places|words|mentioned",
    ),
    (7, 2, "named entit*"),
    (7, 2, "into|as|to json|csv|table|yaml"),
    (7, 2, "who|what|which .. mentioned"),
    (7, 3, "提取|抽取|摘录|实体识别|转成json|整理成表格"),
    (7, 3, "找出|列出 .. 所有"),
    (7, 2, "所有 .. 邮箱|电话|人名|日期"),
    // chat
    (8, 2, "hi|hello|hey|thanks|bye|goodbye"),
    (8, 2, "how are you"),
    (8, 2, "recommend|recipe|advice|tips"),
    (8, 1, "what|who|where|when is|was|are"),
    (8, 1, "how do|can i|you"),
    (8, 1, "how to"),
    (8, 2, "你好|谢谢|再见|推荐|怎么办|你是谁|晚安|好吃|聊聊|什么是|介绍一下"),
    // What needs thought, and what does not.
    (HARD, 2, "step by step"),
    (HARD, 2, "prove|proof|derive|theorem|rigorous*|asymptotic|optimal"),
    (
        HARD,
        2,
        "distributed|concurrent|concurrency|thread|scalable|archite*|migrat*|refactor|algorithm|complexity|deadlock|optimi*",
    ),
    (HARD, 2, "in depth|detail"),
    (HARD, 2, "comprehensive|thorough*|detailed|critically|production"),
    (HARD, 2, "trade-offs|tradeoffs|edge-cases"),
    (HARD, 2, "证明|推导|架构|分布式|并发|详细|深入|全面|优化|复杂度|权衡|一步一步|逐步"),
    (EASY, 2, "briefly|quick|quickly|simple|short"),
    (EASY, 2, "one word|sentence|line"),
    (EASY, 2, "yes or no"),
    (EASY, 2, "一句话|简单|简短|简要|是或否"),
];
