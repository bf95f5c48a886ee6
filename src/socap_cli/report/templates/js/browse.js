var source=d.getElementById("rows"),PAGE=25,state={},rows=[],data=null,asOfSeconds=0;
var NAMES=["q","action","label","category","tweet","min","sort","new"];
function field(name){return d.getElementById("f-"+name)}
function unpack(){
data=JSON.parse(source.textContent);asOfSeconds=Number(source.getAttribute("data-as-of"));
rows=data.rows.map(function(r){var t=data.tweets[r[9]];return{
name:r[0],username:r[1],id:r[2],action:data.actions[r[3]],score:r[4],followers:r[5],at:r[6],backfill:!!(r[7]&1),ours:!!(r[7]&2),verified:!!(r[7]&4),
labels:r[8].map(function(n){return data.labels[n]}),tweet:t[0],author:t[1],category:t[2],post:r[10],text:r[11],by:r[12].map(function(n){return data.followers[n]})}})}
function wordsOf(r){return r.words||(r.words=(r.name+" "+r.username+" "+r.text).toLowerCase())}
function well(name){return/^[A-Za-z0-9_]{1,15}$/.test(name)}
function profile(r){return"https://x.com/"+(well(r.username)?r.username:"i/user/"+encodeURIComponent(r.id))}
function post(r){return r.post?"https://x.com/"+(well(r.username)?r.username:"i")+"/status/"+encodeURIComponent(r.post):profile(r)}
function read(){
state={};location.hash.replace(/^#/,"").split("&").forEach(function(p){var i=p.indexOf("="),k=p.slice(0,i);if(i>0&&(NAMES.indexOf(k)>=0||k==="page")){try{state[k]=decodeURIComponent(p.slice(i+1))}catch(e){}}});
NAMES.forEach(function(n){var f=field(n);if(f.type==="checkbox")f.checked=!!state[n];else{f.value=state[n]||"";if(f.value!==(state[n]||"")){delete state[n];f.value=""}}})}
function write(){
var h=[];NAMES.forEach(function(n){var f=field(n),v=f.type==="checkbox"?(f.checked?"1":""):f.value.trim();if(v){state[n]=v;h.push(n+"="+encodeURIComponent(v))}else delete state[n]});
if(Number(state.page)>1)h.push("page="+state.page);
history.replaceState(null,"",h.length?"#"+h.join("&"):location.pathname+location.search)}
function chosen(){
var words=(state.q||"").toLowerCase().split(/\s+/).filter(Boolean),min=parseFloat(state.min);
var found=rows.filter(function(r){return(!state.action||r.action===state.action)&&(!state.label||r.labels.indexOf(state.label)>=0)&&(!state.category||r.category===state.category)&&(!state.tweet||r.tweet===state.tweet)&&(isNaN(min)||(r.score!==null&&r.score>=min))&&(!state["new"]||(!r.backfill&&r.at>asOfSeconds-86400))&&words.every(function(w){return wordsOf(r).indexOf(w.replace(/^@/,""))>=0})});
if(state.sort==="time")found=found.slice().sort(function(a,b){return(a.backfill&&a.ours?0:a.at)<(b.backfill&&b.ours?0:b.at)?1:-1});
return found}
function link(href,text,className){var a=el("a",className||"",text);a.href=href;a.rel="noreferrer noopener";a.target="_blank";return a}
function when(r){if(r.backfill&&r.ours)return el("span","quiet","before monitoring");var t=el("time","",(r.ours?"seen ":"")+stamp(r.at));t.dateTime=new Date(r.at*1000).toISOString();return t}
var zone=d.querySelector("[data-zone]"),format=new Intl.DateTimeFormat("en-GB",{day:"2-digit",month:"short",hour:"2-digit",minute:"2-digit",hour12:false,timeZone:zone?zone.getAttribute("data-zone"):"UTC"});
function stamp(seconds){return format.format(new Date(seconds*1000)).replace(",","")}
function labelText(name){var o=d.querySelector('#f-label option[value="'+name+'"]');return o?o.textContent:name}
function line(r){
var tr=el("tr"),c=el("td","num");c.appendChild(el("span","score",r.score===null?"?":String(+r.score.toFixed(2))));tr.appendChild(c);
var w=el("th","who");w.scope="row";var b=el("bdi","name",r.name);w.appendChild(b);
if(r.verified){var v=el("span","tick"," ✓");v.appendChild(el("span","sr"," verified"));w.appendChild(v)}
w.appendChild(d.createTextNode(" "));w.appendChild(link(profile(r),"@"+r.username,"at"));
r.labels.forEach(function(n){w.appendChild(d.createTextNode(" "));w.appendChild(el("span","chip",labelText(n)))});
if(r.by.length){var f=el("span","reasons","followed by "+r.by.slice(0,3).map(function(n){return"@"+n}).join(", ")+(r.by.length>3?" ":""));if(r.by.length>3)f.appendChild(el("span","whole","and "+(r.by.length-3)+" more"));w.appendChild(f)}
if(r.text){var t=el("span","text",r.text);t.dir="auto";w.appendChild(t)}
tr.appendChild(w);
c=el("td");var a=link(post(r),r.action);a.appendChild(el("span","sr"," by @"+r.username));c.appendChild(a);c.appendChild(el("span","quiet"," on "+(r.author?"@"+r.author:"a tweet")));tr.appendChild(c);
c=el("td","num",number(r.followers));tr.appendChild(c);
c=el("td","when");c.appendChild(when(r));tr.appendChild(c);
return tr}
function show(){
var found=chosen(),pages=Math.max(Math.ceil(found.length/PAGE),1),page=Math.min(Math.max(parseInt(state.page,10)||1,1),pages);
state.page=String(page);
var body=d.getElementById("list").tBodies[0],part=found.slice((page-1)*PAGE,page*PAGE);
body.textContent="";part.forEach(function(r){body.appendChild(line(r))});
if(!found.length){var tr=el("tr"),c=el("td","empty","Nothing matches. Clear the filters to see everything.");c.colSpan=5;tr.appendChild(c);body.appendChild(tr)}
d.getElementById("shown").textContent=number(found.length)+(found.length===rows.length?" engagements":" of "+number(rows.length)+" engagements");
d.getElementById("csv").disabled=!found.length;
var nav=d.getElementById("pages");nav.textContent="";
if(pages>1)[["Previous",page-1],["",0],["Next",page+1]].forEach(function(x){
if(!x[0]){nav.appendChild(el("span","quiet","page "+page+" of "+pages));return}
var b=el("button","",x[0]);b.type="button";b.disabled=x[1]<1||x[1]>pages;
b.addEventListener("click",function(){state.page=String(x[1]);write();show();d.getElementById("all").scrollIntoView();var again=[].filter.call(nav.querySelectorAll("button"),function(y){return y.textContent===x[0]&&!y.disabled})[0];if(again)again.focus({preventScroll:true})});
nav.appendChild(b)})}
function cell(v){v=v===null||v===undefined?"":typeof v==="string"?v.replace(/\r\n?|\n/g," "):String(v);
if(/^[\s\u200b\u00a0\ufeff]*[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]/.test(v)&&!/^-?\d+(\.\d+)?$/.test(v))v="'"+v;return'"'+v.replace(/"/g,'""')+'"'}
function download(){
var out=["importance,followed_by,name,username,user_id,verified,followers,labels,action,tweet_id,tweet_author,tweet_category,at_utc,time_is_first_seen,before_monitoring,text,link,profile"];
chosen().forEach(function(r){out.push([r.score,r.by.map(function(n){return"@"+n}).join(" "),r.name,r.username,r.id,r.verified,r.followers,r.labels.join(" "),r.action,r.tweet,r.author,r.category,new Date(r.at*1000).toISOString().replace(".000",""),r.ours,r.backfill,r.text,post(r),profile(r)].map(cell).join(","))});
var a=el("a");a.href=URL.createObjectURL(new Blob(["\ufeff"+out.join("\r\n")+"\r\n"],{type:"text/csv"}));
a.download=source.getAttribute("data-slug")+"-engagements.csv";a.click();setTimeout(function(){URL.revokeObjectURL(a.href)},1000)}
if(source){
unpack();read();show();
var tools=d.getElementById("tools");
function changed(){state.page="1";write();show()}
tools.addEventListener("input",changed);
tools.addEventListener("submit",function(e){e.preventDefault()});
tools.addEventListener("reset",function(e){e.preventDefault();NAMES.forEach(function(n){var f=field(n);if(f.type==="checkbox")f.checked=false;else f.value=""});changed()});
d.getElementById("csv").addEventListener("click",download);
function jump(){if(/[=]/.test(location.hash)){read();show();d.getElementById("all").scrollIntoView()}}
window.addEventListener("hashchange",jump);
if(/[=]/.test(location.hash))d.getElementById("all").scrollIntoView()}
