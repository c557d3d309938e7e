//! Requests as people write them, none of them from the training.

use super::*;

#[rustfmt::skip]
const SENTENCES: &[(&str, &[&str])] = &[
    ("code", &[
        "Write a Python function that checks whether two strings are anagrams.",
        "fix this bug: for(int i=0;i<=n;i++) sum+=a[i];",
        "why does my docker container exit immediately with code 0?",
        "how do I undo a git rebase",
        "my react component re-renders infinitely when I use useEffect, help",
        "sql query for customers who bought twice in the same month",
        "wrte a pyhton scirpt to rename files",
        "Write a function that translates English text to Morse code",
        "can you make this loop faster? it takes 10 minutes on a million rows",
        "What's the difference between a mutex and a semaphore?",
        "regex to match a valid IPv4 address",
        "用 Python 写一个读取 Excel 的脚本",
        "这段代码报空指针异常，帮我看看",
        "写个冒泡排序",
        "怎么在 Vue 里监听数组变化",
        "给这个函数加单元测试",
    ]),
    ("reasoning", &[
        "If 3 machines make 3 widgets in 3 minutes, how long do 100 machines need for 100 widgets?",
        "solve 2x^2 - 8x + 6 = 0",
        "What is the derivative of x^3 * e^x?",
        "Prove that the sum of two odd numbers is even.",
        "a farmer has 17 sheep, all but 9 run away. how many are left",
        "What is the probability of drawing two aces in a row?",
        "Alice is older than Bob, Bob is older than Carol. Who is the youngest?",
        "integrate sin(x)cos(x) dx",
        "whats 17% of 340",
        "A train travels 60 miles in 45 minutes. What is its speed in mph?",
        "小明有12个苹果，吃了3个，又买了5个，现在有几个？",
        "证明根号3是无理数",
        "解方程 3x-7=20",
        "一个骰子掷三次，至少一次6点的概率是多少",
        "甲乙两人同时从两地相向而行，多久相遇？速度分别是5和7，距离60公里",
    ]),
    ("summary", &[
        "tl;dr of this please: The committee met on Monday to discuss next year's budget. After a long debate it was decided to postpone the vote.",
        "Summarize the main points of the following article in three bullets.\n\nA new study suggests that cities with more trees are cooler in summer.",
        "can you give me the short version of this email thread?",
        "sumarize this text: Coral reefs are dying because of warmer water.",
        "What are the key takeaways from this report?\n\nRevenue grew by 8 percent, while costs fell.",
        "Condense the paragraph below to one sentence.\n\nThe bridge was built in 1932 and soon became a symbol of the city.",
        "总结一下这篇文章：近年来，新能源汽车销量持续增长，充电设施也不断完善。",
        "用一句话概括下面的内容：会议决定推迟产品发布。",
        "这段话主要讲了什么？随着城市化的推进，越来越多的人离开农村。",
        "帮我提炼一下这份报告的要点",
    ]),
    ("creative", &[
        "Write a short story about a lighthouse keeper who finds a message in a bottle.",
        "write me a poem about autumn rain",
        "Tell me a joke about cats",
        "Draft a polite email to my landlord asking to fix the heating.",
        "Come up with ten names for a vegan bakery",
        "write a poem about recursion in python",
        "Give me a catchy slogan for an electric bike",
        "Rewrite this sentence to sound more professional: we messed up the order",
        "I need a birthday message for my grandma, something warm",
        "Pretend you are a dragon and introduce yourself",
        "写一首关于春天的诗",
        "给我讲个睡前故事",
        "帮我写一封辞职信，语气委婉一点",
        "给新开的咖啡店想几个名字",
        "写一段小红书文案，推荐一款防晒霜",
    ]),
    ("analysis", &[
        "Compare electric and hydrogen cars in terms of cost and range.",
        "What are the pros and cons of working from home?",
        "Why did the Roman Empire collapse?",
        "Analyze the themes of loneliness in Frankenstein",
        "Should a small startup use microservices or a monolith? Discuss the tradeoffs.",
        "evaluate the impact of tourism on small islands",
        "What would happen if all bees disappeared?",
        "How does social media influence elections?",
        "postgres vs mysql for analytics, which is better and why",
        "分析一下年轻人不愿意结婚的原因",
        "对比一下苹果和安卓手机的优缺点",
        "人工智能对教育有什么影响？",
        "如何看待996工作制",
        "远程办公利大于弊吗？",
    ]),
    ("translation", &[
        "Translate into German: The weather is nice today.",
        "how do you say \"good luck\" in Japanese?",
        "What does \"c'est la vie\" mean in English?",
        "translate this to spanish - where is the library",
        "Can you put this into French for me: I'll call you back tomorrow.",
        "trasnlate to chinese: I love programming",
        "把这句话翻译成英文：今天天气真好",
        "翻译成日语：谢谢你的帮助",
        "“加油”用英语怎么说",
        "The early bird catches the worm. 翻译一下",
        "I need the Korean translation of this menu",
    ]),
    ("classification", &[
        "Is this review positive or negative? \"The room was tiny and smelled.\"",
        "Classify the following tweet as hate speech or not: I can't stand Mondays.",
        "Which category does this ticket belong to: billing, technical, or sales?\nMy card was charged twice.",
        "label each sentence as fact or opinion:\n1. Water boils at 100 degrees.\n2. Tea is better than coffee.",
        "Determine the sentiment of this comment: best app ever",
        "spam or not spam? You won $1000, click here",
        "把下面的评论分类为好评或差评：味道一般，送餐很慢",
        "判断这句话的情感是正面还是负面：今天真是糟透了",
        "这封邮件是垃圾邮件吗？恭喜您获得大奖",
        "下面的新闻属于哪个类别（体育、财经、娱乐）：国足2比1获胜",
    ]),
    ("extraction", &[
        "Extract all email addresses from this text: contact bob@x.org or amy@y.net",
        "List every person mentioned in the paragraph below.\n\nMarie Curie worked with her husband Pierre in Paris.",
        "Pull out the dates and amounts from this invoice as JSON:\nInvoice 12, due 3 May, total $90",
        "find all the phone numbers in this message: call 555-1234 or 555-9876",
        "Convert this into a table with name and age: Tom is 5, Ann is 7.",
        "Get the company names from the following: Siemens bought a startup from Intel.",
        "提取所有邮箱：联系 a@b.com 或 c@d.cn",
        "从下面的文字中找出所有人名：昨天，王小明和李芳在杭州见了面。",
        "把这段简历整理成 JSON：张三，30岁，工程师",
        "抽取文中的时间和地点：周五下午三点在图书馆集合",
    ]),
    ("chat", &[
        "hi",
        "how are you today?",
        "What's the capital of Portugal?",
        "thanks, that was helpful!",
        "Can you recommend a good restaurant in Lisbon?",
        "What should I cook for dinner tonight?",
        "who won the world cup in 2014",
        "how do I get rid of hiccups",
        "What is photosynthesis?",
        "I'm feeling a bit down today",
        "who are you",
        "best time of the year to visit iceland?",
        "你好呀",
        "今天晚上吃什么好",
        "推荐几部好看的电影",
        "珠穆朗玛峰有多高？",
        "失眠怎么办",
        "谢谢你",
        "什么是黑洞",
    ]),
];

#[test]
fn requests_as_people_write_them_are_known() {
    let classifier = built_in();
    let (mut all, mut missed) = (0, Vec::new());
    for (task, sentences) in SENTENCES {
        for sentence in *sentences {
            all += 1;
            let verdict = judged(&classifier, &chat(&[("user", sentence)]));
            if verdict.task.as_str() != *task {
                missed.push(format!(
                    "{task}, not {} ({}, {}): {sentence}",
                    verdict.task, verdict.confidence, verdict.evidence
                ));
            }
        }
    }
    println!("{} of {all}:\n{}", missed.len(), missed.join("\n"));
    assert!(missed.len() * 20 <= all, "{} of {all}:\n{}", missed.len(), missed.join("\n"));
}
